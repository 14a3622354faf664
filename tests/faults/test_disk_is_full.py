"""The server's disk fills up: the run ends with a reason, and is resumed once there is room."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOM = "16m"
FILLER = "filler"


@pytest.fixture
def small_disk(tmp_path):
    """Return the folder of a file system of its own, which few megabytes fill."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def fill(folder: Path) -> None:
    """Write to `folder` until nothing more fits."""
    with (folder / FILLER).open("ab", buffering=0) as filler:
        for size in (65536, 1):
            try:
                while True:
                    filler.write(b"x" * size)
            except OSError:
                continue


def test_the_disk_fills_up(federation, whole, small_disk, attempt):
    federation.out = small_disk / "out"
    federation.start().submit()
    federation.until("first round", federation.rounds)
    fill(small_disk)
    assert federation.finished() != "finished:completed"
    assert "Free disk space" in federation.log()
    (small_disk / FILLER).unlink()
    assert federation.resumed() == whole
