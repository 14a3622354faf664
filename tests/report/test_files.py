"""Files that are written once, whole, and what a killed writer leaves."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fdd_flower.run_folder.files import sweep, write_new


@pytest.mark.parametrize("links", [True, False])
def test_of_two_writers_the_first_wins(tmp_path: Path, monkeypatch, links: bool) -> None:
    if not links:

        def refuse(*_: object) -> None:
            raise OSError(errno.EPERM, "no hard links here")

        monkeypatch.setattr(os, "link", refuse)
    write_new(tmp_path / "a", b"first")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "a", b"second")
    assert (tmp_path / "a").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_only_unfinished_files_of_ours_are_swept(tmp_path: Path) -> None:
    mine = tmp_path / f".model.safetensors.{'0af' * 10}9c.tmp"
    others = [tmp_path / name for name in ("a.tmp", ".b.tmp", ".c.0a.tmp", "d")]
    for path in (mine, *others):
        path.touch()
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(others)
    sweep(tmp_path / "none")
