"""Where a run goes: told before it starts, and never shared."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest

from fdd_flower.config import Config, from_run_config
from fdd_flower.errors import ConfigError
from fdd_flower.launch.output import choose, claim
from fdd_flower.run_folder.run_dir import ROUNDS, RunDir, check_free

NOW = datetime(2026, 1, 2, 3, 4, 5)


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("FDD_OUTPUT_DIR")


def test_the_order_of_preference(tmp_path, monkeypatch):
    assert choose(Config(), NOW) == tmp_path / ".fdd-flower/runs/2026-01-02-030405-fdd-digits"
    monkeypatch.setenv("FDD_OUTPUT_DIR", "/tmp/variable")
    assert choose(Config(), NOW) == Path("/tmp/variable")
    assert choose(from_run_config({"output.dir": "/tmp/set"}), NOW) == Path("/tmp/set")
    assert list(tmp_path.iterdir()) == []


def test_two_runs_of_one_second_get_two_folders():
    first, second, third = (claim(Config(), NOW) for _ in range(3))
    assert first.is_dir()
    assert second == first.with_name(first.name + "-2")
    assert third == first.with_name(first.name + "-3")


def test_a_component_from_outside_gives_a_plain_name(tmp_path):
    cfg = from_run_config({"data.name": "my.package:Factory/../x"})
    assert claim(cfg, NOW).parent == tmp_path / ".fdd-flower/runs"


def test_a_folder_that_was_named_is_left_to_the_run(tmp_path):
    path = tmp_path / "named"
    assert claim(from_run_config({"output.dir": str(path)}), NOW) == path
    assert not path.exists()


def test_a_folder_with_other_files_is_free(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    check_free(tmp_path)


@pytest.mark.parametrize("below", ["ledger", "ledger/sets/mine", "my copy"])
def test_a_folder_inside_of_a_run(tmp_path, below):
    run = tmp_path / "run"
    run.mkdir()
    (run / ROUNDS).touch()
    inside = run / below
    with pytest.raises(ConfigError, match=f"outside of every run's.*inside of {run}"):
        choose(from_run_config({"output.dir": str(inside)}), NOW)
    with pytest.raises(ConfigError, match="outside of every run's"):
        RunDir.create(inside)
    assert not inside.exists()
    check_free(tmp_path / "run-2")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="can be written"):
        check_free(tmp_path / "below")
