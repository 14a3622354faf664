"""Whole runs through the command line, without Flower's processes."""

from __future__ import annotations

import json
import logging
import tomllib
from pathlib import Path

import pytest

from tests.cli.conftest import QUICK


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Return the result of one quick run, and its folder."""
    from typer.testing import CliRunner

    from fdd_flower.cli import app

    folder = tmp_path_factory.mktemp("runs") / "first"
    return CliRunner().invoke(app, ["run", *QUICK, "--out", str(folder)]), folder


def test_a_run_ends_with_its_folder(done):
    result, folder = done
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == f"pictures and report: {folder}"
    assert json.loads((folder / "summary.json").read_text())["status"] == "completed"


def test_a_run_shows_progress_and_its_rounds_but_not_flowers_log(done):
    result, _ = done
    lines = result.stdout.splitlines()
    assert any(line.startswith("round 1/1: accuracy") for line in lines)
    assert any("client max" in line for line in lines)
    assert any(line.startswith("accuracy ") and "3 clients" in line for line in lines)
    assert "[fdd]" not in result.output
    assert "INFO" not in result.output
    assert result.stderr == ""


@pytest.mark.parametrize(("words", "waited"), [((), 3), (("strategy.min-nodes=2",), 2)])
def test_a_simulation_waits_for_all_of_its_clients_unless_told_otherwise(
    words, waited, done, fdd, tmp_path
):
    _, folder = done
    if words:
        folder = tmp_path / "told"
        assert fdd("run", *QUICK, "--set", *words, "--out", folder).exit_code == 0
    settings = tomllib.loads((folder / "config.toml").read_text())
    assert settings["strategy"]["min-nodes"] == waited


def test_show_repeats_it(done, fdd):
    _, folder = done
    found = json.loads(fdd("show", folder, "--json").stdout)
    assert found["output"] == str(folder)
    assert found["rounds"][0]["accuracy"] == found["summary"]["accuracy"]
    assert "completed" in fdd("show", folder).stdout


def test_json_is_all_there_is_on_stdout(fdd, tmp_path):
    result = fdd("run", *QUICK, "--json", "--out", tmp_path / "a")
    found = json.loads(result.stdout)
    assert found["output"] == str(tmp_path / "a")
    assert "round 1/1" in result.stderr


def test_a_run_that_fails_says_why_once_and_exits_1(fdd, tmp_path):
    loggers = logging.getLogger("flwr").handlers[:]
    result = fdd(
        "run",
        *QUICK,
        "--out",
        tmp_path / "a",
        "--set",
        "distiller.min-records=100000",
        "--set",
        "distiller.small-classes=refuse",
        "--set",
        "distiller.name=kmeans",
    )
    assert result.exit_code == 1
    assert result.stderr.startswith("error: round 1: expected at least strategy.quorum")
    assert result.stderr.count("\n") == 1
    assert "pictures and report" not in result.stdout
    assert logging.getLogger("flwr").handlers == loggers


def test_without_out_the_folder_has_a_name_to_remember(fdd, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("FDD_OUTPUT_DIR")
    folder = Path(fdd("run", *QUICK).stdout.splitlines()[-1].removeprefix("pictures and report: "))
    assert folder.parent == tmp_path / ".fdd-flower" / "runs"
    assert folder.name.endswith("-fdd-digits")
    for name in ("latest", folder.name):
        assert json.loads(fdd("show", name, "--json").stdout)["output"] == str(folder)
