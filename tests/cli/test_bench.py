"""`fdd bench`: bad input ends in one line before work starts; good input in tables."""

from __future__ import annotations

import json

import pytest

from fdd_flower.bench.distil import sets
from fdd_flower.errors import DistillError
from tests.bench.conftest import in_process  # noqa: F401 (a fixture)

QUICK = (
    "bench", "distill", "--ipc", "1", "--seeds", "0", "--models", "ridge", "--no-full",
    "--threads", "1", "--set", "distiller.steps=2", "--set", "distiller.networks=1",
)  # fmt: skip
OPTIONS = (
    "--data", "--distillers", "--ipc", "--seeds", "--models", "--out", "--set", "--single-class",
    "--holdout", "--full-steps", "--no-full", "--threads", "--resume", "--json",
)  # fmt: skip


def test_help_names_every_option_and_has_an_example(fdd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    shown = fdd("bench", "distill", "--help").stdout
    assert all(option in shown for option in OPTIONS)
    assert "Example: fdd bench distill" in shown
    assert "distill" in fdd("bench", "--help").stdout


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--data", "nope"), "data.name"),
        (("--distillers", "nope"), "--distillers"),
        (("--distillers", "dm,dm"), "dm twice"),
        (("--distillers", ""), "--distillers"),
        (("--distillers", "dm,,kmeans"), "--distillers"),
        (("--ipc", "0"), "--ipc"),
        (("--ipc", "1,1"), "1 twice"),
        (("--ipc", "ten"), "--ipc"),
        (("--seeds", "zero"), "--seeds"),
        (("--seeds", "1.5"), "--seeds"),
        (("--seeds", "-1"), "--seeds"),
        (("--models", "nope"), "--models"),
        (("--models", "mlp,,ridge"), "Write, for example, --models cnn,ridge"),
        (("--models", "cnn"), "16x16"),
        (("--set", "distiller.pool=convnet,,mlp"), "distiller.pool"),
        (("--set", "distiller.ipc=3"), "--ipc"),
        (("--set", "distiller.typo=3"), "distiller.typo"),
        (("--set", "distiller.labels=global"), "distiller.labels"),
        (("--set", "distiller.bytes=600"), "distiller.bytes: expected at least"),
        (("--set", "distiller.bytes=3000", "--single-class"), "distiller.bytes: expected at least"),
        (("--set", "codec.name=nope"), "codec.name"),
        (("--resume",), "holds a bench"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(fdd, tmp_path, words, named):
    result = fdd(*QUICK, "--out", tmp_path / "out", *words)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert named in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("in_process")
def test_a_bench_ends_in_tables_and_its_folder(fdd, tmp_path):
    result = fdd(*QUICK, "--holdout", "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "held-out tenth" in result.stdout
    assert result.stdout.splitlines()[-1].endswith(str(tmp_path / "out"))
    again = fdd(*QUICK, "--holdout", "--resume", "--json", "--out", tmp_path / "out")
    assert again.exit_code == 0
    assert json.loads(again.stdout) == json.loads((tmp_path / "out" / "rows.json").read_text())
    other = fdd(*QUICK, "--out", tmp_path / "out")
    assert other.exit_code == 2
    assert "bench.holdout" in other.stderr


def test_a_failed_row_is_exit_status_1(fdd, tmp_path, monkeypatch):
    def refuse(job):
        raise DistillError("loss", expected="a number", got="nan", remedy="Lower it.")

    monkeypatch.setattr(sets, "spawn", refuse)
    result = fdd(*QUICK, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "got nan" in result.stdout
