"""`fdd --help` answers at once, because nothing heavy is imported for it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "torchvision", "flwr", "ray", "sklearn", "matplotlib", "pandas", "numpy")


def test_the_program_imports_nothing_heavy():
    code = (
        f"import sys, fdd_flower.cli; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
