"""`import fdd_flower` is quick, because nothing heavy comes with it."""

from __future__ import annotations

import subprocess
import sys

import fdd_flower
from tests.cli.test_imports import HEAVY


def test_the_package_imports_nothing_heavy_and_shows_its_names():
    code = (
        "import sys, fdd_flower; names = dir(fdd_flower); "
        f"print(*(name for name in {HEAVY!r} if name in sys.modules)); "
        "print(set(fdd_flower.__all__) <= set(names))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["", "True"]


def test_every_name_can_be_had_and_no_other():
    assert all(getattr(fdd_flower, name).__doc__ for name in fdd_flower.__all__)
    assert not hasattr(fdd_flower, "destill")
