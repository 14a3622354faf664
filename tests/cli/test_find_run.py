"""Which run `latest` is: to look at, the newest that ended; to resume, the newest that began."""

from __future__ import annotations

import os

import pytest

from fdd_flower.commands import _runs
from fdd_flower.errors import DataError


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Return a folder of two runs: one that ended, and a later one that was killed."""
    monkeypatch.setattr(_runs, "runs_folder", lambda: tmp_path)
    for place, (name, files) in enumerate(
        (("ended", ("config.toml", "summary.json")), ("killed", ("config.toml",)))
    ):
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).touch()
            os.utime(tmp_path / name / file, (place, place))
    return tmp_path


def test_latest(runs):
    assert _runs.find_run("latest") == runs / "ended"
    assert _runs.find_run("latest", ended=False) == runs / "killed"
    assert _runs.find_run("killed") == runs / "killed"


def test_nothing_there(runs):
    with pytest.raises(DataError, match="no such folder"):
        _runs.find_run("other")
