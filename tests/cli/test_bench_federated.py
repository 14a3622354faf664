"""`fdd bench federated`: a whole bench by the command, stopped in a run and gone on with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from fdd_flower.bench.federated import run as bench
from fdd_flower.bench.federated.methods import Method
from fdd_flower.bench.federated.settings import Federated
from fdd_flower.run_folder.rows import COMPLETED
from fdd_flower.run_folder.run_dir import RunDir
from tests.bench.conftest import run_here

ROUNDS = 30  # so that a stop after the first is one in the middle
QUICK = {
    "num-server-rounds": ROUNDS,
    "model.name": "logistic",
    "training.steps": 5,
    "training.teacher": 0.0,
    "distiller.name": "random",
    "distiller.ipc": 1,
}


def model_of(folder: Path) -> str:
    path = folder / "runs" / "iid" / "fdd-seed0" / "model.safetensors"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_run_that_was_stopped_is_gone_on_with_and_ends_the_same(tmp_path: Path) -> None:
    small = Federated(
        methods=(Method("fdd", {}),),
        splits=("iid",),
        seeds=(0,),
        clients=3,
        data={"digits": {"data.name": "digits"}},
        common=QUICK,
    )
    with pytest.MonkeyPatch.context() as patch:
        run_here(patch)
        bench.run(small, tmp_path / "whole", say=lambda line: None)

    class StoppedError(Exception):
        pass

    def stop(line: str) -> None:
        if f"round 1/{ROUNDS}: accuracy" in line:
            raise StoppedError

    with pytest.raises(StoppedError):
        bench.run(small, tmp_path / "stopped", say=stop)
    folder = tmp_path / "stopped" / "runs" / "iid" / "fdd-seed0"
    assert RunDir(folder).status() != COMPLETED
    done = len((folder / "rounds.jsonl").read_text().splitlines())
    assert 1 <= done < ROUNDS
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        run_here(patch)
        (row,) = bench.run(small, tmp_path / "stopped", say=said.append)
    assert (row.rounds, row.error) == (ROUNDS, "")
    assert not any(f"round {done}/" in line for line in said)
    assert model_of(tmp_path / "stopped") == model_of(tmp_path / "whole")


def test_the_command_runs_every_method_and_says_what_is_left(
    fdd: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_here(monkeypatch)
    words = [word for key, value in QUICK.items() for word in ("--set", f"{key}={value}")]
    found = fdd(
        "bench",
        "federated",
        "--methods",
        "random,kmeans",
        "--splits",
        "iid",
        "--seeds",
        "0",
        "--clients",
        "3",
        "--threads",
        "1",
        *words,
        "--set",
        "num-server-rounds=1",
        "--json",
        "--out",
        tmp_path / "out",
    )
    assert found.exit_code == 0, found.output
    rows = json.loads(found.stdout)
    assert [row["method"] for row in rows] == ["random", "kmeans"]
    assert all(row["bytes_up"] > 0 and len(row["curve"]) == 1 for row in rows)
    assert "[1/2] random" in found.stderr
    assert "left" in found.stderr
    assert rows == json.loads((tmp_path / "out" / "rows.json").read_text())
    for name in ("table.md", "accuracy-bytes.png", "accuracy-time.png"):
        assert (tmp_path / "out" / name).exists()
