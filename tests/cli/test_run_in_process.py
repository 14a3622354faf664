"""Whole runs through the command line, without Flower's processes."""

from __future__ import annotations

import json
import logging
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from fdd_flower.server.about import classes_line
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


def test_a_run_says_first_what_it_is_about_to_do(done):
    result, folder = done
    data, classes, clients, rounds, *_ = result.stdout.splitlines()
    assert data == "data: digits, 1,437 training and 360 test records, a grey image of 8x8 each"
    assert classes.startswith("10 classes: 0 (142), 1 (145), ")
    assert clients.startswith("3 clients with ")
    assert clients.endswith("(split: dirichlet, alpha 0.3)")
    row = json.loads((folder / "rounds.jsonl").read_text())
    down = row["bytes_down"] / 3  # the plan before it has a round's number
    found = re.fullmatch(
        r"1 round of fdd, (\d+) B down a client, at most (\d+) rows or ([\d.]+) kB up, "
        r"5 steps of logistic on at most (\d+) merged rows",
        rounds,
    )
    assert found
    assert float(found[1]) == pytest.approx(down, abs=4)
    assert float(found[3]) * 1000 * 3 * 1.01 >= row["bytes_up"]
    merged = load_file(folder / "synthetic.safetensors")["inputs"]
    assert int(found[2]) <= len(merged) <= int(found[4])


def test_rows_that_hold_several_images_are_counted_as_the_server_unpacks_them(fdd, tmp_path):
    result = fdd("run", *QUICK, "--out", tmp_path / "run", "--set", "distiller.packing=2")
    said = re.search(r"at most (\d+) rows or .* on at most (\d+) merged rows", result.stdout)
    assert said
    merged = len(load_file(tmp_path / "run" / "synthetic.safetensors")["inputs"])
    assert int(said[1]) < merged <= int(said[2]) < 2 * merged


def test_the_bytes_of_a_finishing_round_are_said_before_it(fdd, tmp_path):
    finish = "--rounds", "2", "--set", "strategy.finish=readout", "--set", "model.name=mlp"
    result = fdd("run", *QUICK, *finish, "--out", tmp_path / "run")
    said = re.search(
        r"; in the last one at most ([\d.]+) kB down and ([\d.]+) kB up\n", result.stdout
    )
    assert said, result.stdout
    row = json.loads((tmp_path / "run" / "rounds.jsonl").read_text().splitlines()[-1])
    assert row["round"] == 2
    for most, key in zip(said.groups(), ("bytes_down", "bytes_up"), strict=True):
        assert row[key] / 3 <= float(most) * 1000 * 1.01 < 4 * row[key] / 3


def test_only_some_of_many_classes_are_named():
    line = classes_line([f"class {i}" for i in range(40)], np.arange(40))
    assert line.startswith("40 classes: class 0 (0), class 1 (1), ")
    assert line.endswith("class 11 (11) and 28 more")


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


def test_a_run_that_fails_says_why_once_and_exits_1(fdd, tmp_path, monkeypatch):
    monkeypatch.setattr("fdd_flower.launch.outline.check_reach", lambda *_: [])
    loggers = logging.getLogger("flwr").handlers[:]
    result = fdd(
        "run",
        *QUICK,
        "--out",
        tmp_path / "a",
        "--set",
        "distiller.min-records=100000",
        "--set",
        "distiller.name=kmeans",
    )
    assert result.exit_code == 1
    assert result.stderr.startswith("error: round 1: expected at least strategy.quorum")
    assert result.stderr.count("\n") == 1
    assert "pictures and report" not in result.stdout
    assert logging.getLogger("flwr").handlers == loggers
    words = ("--json", "--set", "distiller.min-records=100000", "--out", tmp_path / "b")
    found = json.loads(fdd("run", *QUICK, *words).stdout)
    assert found["error"]["message"].startswith("round 1: expected at least strategy.quorum")
    assert found["output"] == str(tmp_path / "b")


def test_bad_input_is_one_json_object_too(fdd, tmp_path):
    result = fdd("run", *QUICK, "--json", "--set", "data.name=digitz", "--out", tmp_path / "a")
    assert result.exit_code == 2
    error = json.loads(result.stdout)["error"]
    assert (error["kind"], error["what"]) == ("ConfigError", "data.name")
    assert error["got"] == "'digitz'"
    assert "digits" in error["expected"]
    assert error["message"] in result.stderr


def test_without_out_the_folder_has_a_name_to_remember(fdd, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("FDD_OUTPUT_DIR")
    folder = Path(fdd("run", *QUICK).stdout.splitlines()[-1].removeprefix("pictures and report: "))
    assert folder.parent == tmp_path / ".fdd-flower" / "runs"
    assert folder.name.endswith("-fdd-digits")
    for name in ("latest", folder.name):
        assert json.loads(fdd("show", name, "--json").stdout)["output"] == str(folder)
