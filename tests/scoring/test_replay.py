"""Runs with quarantine: resumed and forgotten bit for bit; their tables; wrong settings."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Message

from fdd_flower.config import Config, Scalar, to_run_config
from fdd_flower.errors import ConfigError
from fdd_flower.ledger import Ledger
from fdd_flower.ledger.verify import verify
from fdd_flower.report.html import write_report
from fdd_flower.server import distillation
from fdd_flower.wire.records import ARRAYS
from tests.cli.conftest import fdd as _fdd
from tests.methods.test_end_to_end import QUICK
from tests.server.test_forget import forgotten, without
from tests.server.test_resume import Killed, facts, killing, result, resume, start

SETTINGS: dict[str, Scalar] = QUICK | {
    "num-server-rounds": 2,
    "training.steps": 10,
    "distiller.name": "kmeans",
    "scoring.mode": "quarantine",
    "training.start": "warm",
    "partition.name": "iid",
}
CLIENTS, LIAR = 5, "3"
run_fdd = _fdd  # the fixture of tests of the command line


def flips(message: Message) -> Message:
    """Give every row the label of the next class."""
    arrays = message.content[ARRAYS]
    assert isinstance(arrays, ArrayRecord)
    arrays["targets"] = Array(np.roll(arrays["targets"].numpy(), 1, axis=1))
    return message


def run(folder: Path, faults: Any = None, **changes: Scalar) -> Path:
    settings = to_run_config(Config()) | SETTINGS | {"output.dir": str(folder)} | changes
    start(settings, clients=CLIENTS, faults={int(LIAR) + 1: flips} | (faults or {}))
    return folder


def scores(folder: Path) -> list[tuple[Any, ...]]:
    return [
        (e.round, e.client, e.verdict, e.score, e.agreement, e.outlier, e.copied, e.reason)
        for e in Ledger(folder / "ledger").entries()
        if e.verdict != "superseded"
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run with a liar in it."""
    return run(tmp_path_factory.mktemp("scored") / "whole")


def test_the_liar_is_aside_in_every_round(whole: Path) -> None:
    assert [(r, c) for r, c, verdict, *_ in scores(whole) if verdict == "quarantined"] == [
        (1, LIAR),
        (2, LIAR),
    ]
    rows = [json.loads(line) for line in (whole / "rounds.jsonl").read_text().splitlines()]
    assert [(row["replies"], row["rejected_codes"]) for row in rows] == [
        (4, {"quarantined": 1})
    ] * 2
    assert list(verify(Ledger(whole / "ledger"), Ledger(whole / "ledger").entries())) == []


@pytest.mark.parametrize(
    ("owner", "name", "at"),
    [(distillation, "screened", 2), (Ledger, "score", 7), (distillation, "train_on", 2)],
)
def test_a_run_killed_while_it_scores_goes_on_to_the_same(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, at: int
) -> None:
    folder = tmp_path / "killed"
    with monkeypatch.context() as patch:
        killing(patch, owner, name, at, after=True)
        with pytest.raises(Killed):
            run(folder)
    resume(folder, **{"faults": {int(LIAR) + 1: flips}, "clients": CLIENTS})
    assert result(folder) == result(whole)
    assert facts(folder) == facts(whole)
    assert scores(folder) == scores(whole)
    assert list(verify(Ledger(folder / "ledger"), Ledger(folder / "ledger").entries())) == []


@pytest.mark.parametrize("client", ["0", LIAR])
def test_to_forget_is_to_score_again_without_it(tmp_path: Path, whole: Path, client: str) -> None:
    never = run(tmp_path / "never", without(client))
    assert forgotten(whole, client, tmp_path / "new") == "exact: nothing depended on it"
    assert result(tmp_path / "new") == result(never)
    kept = [line for line in scores(never) if line[2] != "rejected"]
    assert scores(tmp_path / "new") == kept
    assert kept != [line for line in scores(whole) if line[1] != client]


def test_who_helped_is_a_table(whole: Path, run_fdd: Any) -> None:
    shown = run_fdd("ledger", whole, "--scores")
    assert shown.exit_code == 0
    for text in ("utility", "labels", "outlier", "copied", "quarantined", "accepted"):
        assert text in shown.stdout
    found = json.loads(run_fdd("ledger", whole, "--scores", "--json").stdout)["entries"]
    assert [entry["verdict"] == "quarantined" for entry in found] == [
        entry["client"] == LIAR for entry in found
    ]
    assert {"score", "agreement", "outlier", "copied", "reason"} <= set(found[0])
    page = write_report(whole).read_text()
    assert "Scores of the sets" in page
    assert "in quarantine, with no part in the result: 2" in page


def test_a_run_that_scored_nothing_says_so(run_fdd: Any, tmp_path: Path) -> None:
    folder = run(tmp_path / "off", **{"scoring.mode": "off", "num-server-rounds": 1})
    assert "no set was scored" in run_fdd("ledger", folder, "--scores").stdout
    assert all(line[3:7] == (None,) * 4 for line in scores(folder))


def test_a_ledger_from_before_scores_is_read_and_goes_on(whole: Path, tmp_path: Path) -> None:
    from tests.ledger.test_ledger import make_set, record

    old = Ledger(tmp_path)
    record(old, make_set(), client="a")
    with sqlite3.connect(tmp_path / "index.sqlite") as index:
        for name in ("agreement", "outlier", "copied"):
            index.execute(f"ALTER TABLE replies DROP COLUMN {name}")
        index.execute("PRAGMA user_version = 1")
    (entry,) = old.entries()
    assert (entry.client, entry.score, entry.agreement) == ("a", None, None)
    old.score(client="a", round=1, value=0.5, agreement=1.0, outlier=-1.0, copied=0.0)
    record(old, make_set(1.0), client="b")
    assert [(e.score, e.agreement, e.outlier) for e in old.entries()] == [
        (0.5, 1.0, -1.0),
        (None, None, None),
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scoring.mode", "on"),
        ("scoring.quota", -1.0),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, key: str, value: Scalar) -> None:
    with pytest.raises(ConfigError, match=key):
        run(tmp_path / "run", **{key: value})


def test_parameters_are_not_scored(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"scoring\.mode: expected off with .*fedavg"):
        run(tmp_path / "run", **{"strategy.name": "fedavg"})
    assert not (tmp_path / "run").exists()
