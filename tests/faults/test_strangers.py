"""TLS and node authentication, end to end: who is not registered, or not trusted, stays out."""

from __future__ import annotations

import os
import subprocess
import sys

from fdd_flower.launch.flower.environment import search_path
from tests.faults.federation import ROOT

REFUSED = (
    "a SuperNode whose key is not registered",
    "a SuperNode without a key",
    "a SuperNode without TLS",
    "a SuperLink whose certificate another authority signed",
)


def test_strangers_are_turned_away(attempt):
    done = subprocess.run(
        ["bash", ROOT / "deploy" / "smoke.sh", "--tls"],
        stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHON": sys.executable, "PATH": search_path()},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert all(f"refused: {who}" in done.stdout for who in REFUSED)
