"""Bad input: one line, exit status 2, nothing started and nothing written."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _no_launch(monkeypatch):
    def refuse(*_args):
        raise AssertionError("a run was launched")

    monkeypatch.setattr(importlib.import_module("fdd_flower.commands.run"), "_launch", refuse)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return an empty home, with no $FDD_OUTPUT_DIR; the working folder is in it."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.delenv("FDD_OUTPUT_DIR", raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(folder)
    return folder


def written(home: Path) -> list[str]:
    """Return what is in `home`, but for the caches that libraries make when imported."""
    return sorted(path.name for path in home.iterdir() if path.name not in (".cache", ".config"))


def refused(result) -> str:
    """Return the one line that says why."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    return result.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--set", "distiler.ipc=3"), "distiller.ipc"),
        (("--set", "distiller.ipc"), "KEY=VALUE"),
        (("--set", "distiller.ipc=many"), "an integer"),
        (("--set", "distiller.ipc=2.5"), "an integer"),
        (("--set", "distiller.augment=maybe"), "true or false"),
        (("--set", "distiller.ipc=0"), "from 1"),
        (("--set", "training.mixup=nan"), "from 0"),
        (("--set", "partition.name=iid,"), "dirichlet"),
        (("--rounds", "0"), "num-server-rounds"),
        (("--set", "strategy.name=fedsgd"), "fedavg"),
        (("--set", "distiller.name=magic"), "kmeans"),
        (("--set", "distiller.name=os:getcwd"), "a factory that takes its settings"),
        (("--set", "distiller.pool=convnet,what"), "distiller.pool"),
        (("--set", "distiller.packing=4", "--set", "data.name=wine"), "distiller.packing"),
        (("--set", "distiller.peers=true"), "distiller.peers"),
        (("--set", "distiller.first=dm"), "dm distils in the first round"),
        (("--set", "distiller.name=krr", "--set", "distiller.labels=ridge"), "distiller.labels"),
        (("--set", "distiller.augment=true", "--set", "data.name=wine"), "distiller.augment"),
        (("--set", "training.flip=true", "--set", "data.name=wine"), "training.flip"),
        (("--set", "training.augment=false", "--set", "training.shift=2"), "training.shift"),
        (
            ("--set", "strategy.finish=readout", "--set", "privacy.mode=dp-moments"),
            "changes of weights are releases that nobody charged",
        ),
        (("--set", "distiller.bytes=600"), "distiller.bytes: expected at least"),
        (("--set", "strategy.name=os:sep"), "a factory that takes its settings"),
        (("--set", "merger.name=magic"), "class-balanced"),
        (("--set", "merger.rows=5"), "100 with merger.name=class-balanced"),
        (("--set", "merger.name=herded", "--set", "merger.steps=1"), "merger.steps"),
        (("--set", "scoring.mode=score", "--set", "strategy.name=fedavg"), "scoring.mode"),
        (("--set", "scoring.quota=0.5"), "equal shares from 1"),
        (("--set", "codec.name=zip"), "uint8"),
        (("--set", "model.name=gpt"), "convnet"),
        (("--set", "data.name=imagenet"), "digits"),
        (("--set", "model.name=nowhere.at.all:Model"), "nowhere.at.all"),
        (("--set", "model.name=cnn"), "16x16"),
        (("--set", "data.name=table", "--set", "data.path=none.csv"), "none.csv"),
        (("--set", "data.name=table"), "data.path"),
        (("--clients", "1"), "strategy.min-nodes"),
        (("--clients", "3", "--set", "strategy.quorum=4"), "strategy.quorum"),
        (("--clients", "5000"), "clients"),
        (("--set", "partition.name=classes", "--set", "partition.classes-per-client=11"), "10"),
        (("--set", "output.dir=runs/first"), "absolute"),
        (("--config", "none.toml"), "none.toml"),
        (("--config", "."), "readable"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_settings_are_refused(fdd, home, words, says):
    assert says in refused(fdd("run", *words))
    assert written(home) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[data", "TOML"),
        ("\xff".encode("latin-1"), "TOML"),
        ('"distiler.ipc" = 3', "distiller.ipc"),
        ("[data.name]\nx = 1", "data.name"),
        ("distiller = 3", "distiller"),
        ("distiller.ipc = '3'", "an integer"),
        ("distiller.ipc = true", "an integer"),
        ("distiller.ipc = [3]", "an integer"),
        ("seed = 2026-01-01", "an integer"),
    ],
)
def test_a_bad_file_is_named(fdd, home, text, says):
    file = home / "a.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    line = refused(fdd("run", "--config", file))
    assert says in line
    assert str(file) in line
    assert written(home) == [file.name]


@pytest.mark.parametrize("name", ["rounds.jsonl", "summary.json", "config.toml", "ledger"])
def test_a_folder_that_holds_a_run_is_not_touched(fdd, home, name):
    folder = home / "out"
    folder.mkdir()
    (folder / name).write_text("mine")
    assert name in refused(fdd("run", "--out", folder))
    assert [path.name for path in folder.iterdir()] == [name]


def test_an_output_that_is_a_file_or_below_one(fdd, home):
    file = home / "file"
    file.write_text("mine")
    assert "a folder" in refused(fdd("run", "--out", file))
    assert "can be written" in refused(fdd("run", "--out", file / "below"))
    assert file.read_text() == "mine"


def test_an_output_variable_that_is_relative(fdd, home, monkeypatch):
    monkeypatch.setenv("FDD_OUTPUT_DIR", "runs")
    assert "$FDD_OUTPUT_DIR" in refused(fdd("run"))


@pytest.mark.parametrize(
    "words", [("--clients", "0"), ("--clients", "x"), ("--rounds", "x"), ("--no",)]
)
def test_words_that_the_program_does_not_know(fdd, home, words):
    result = fdd("run", *words)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert written(home) == []


def test_show_needs_a_run(fdd, home):
    assert "no such folder" in refused(fdd("show", "nothing"))
    assert "no such folder" in refused(fdd("show", "latest"))
    assert "summary.json" in refused(fdd("show", home))
