"""Runs from Python: in this process, of shares or of files of the clients' own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_iris

import fdd_flower as fdd
from fdd_flower.errors import ConfigError, DataError, QuorumError
from fdd_flower.launch.begun import read_begun
from fdd_flower.ledger import Ledger

FAST: dict[str, Any] = {"distiller_name": "kmeans", "model_name": "logistic", "training_steps": 30}


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory) -> Path:
    """Return a folder with the tables of two hospitals, and the server's."""
    folder = tmp_path_factory.mktemp("hospitals")
    iris = cast(Any, load_iris(as_frame=True)).frame.rename(columns={"target": "kind"})
    iris["kind"] = iris["kind"].map({0: "setosa", 1: "versicolor", 2: "virginica"})
    for i, name in enumerate(("north", "south", "server")):
        iris.iloc[i::3].to_csv(folder / f"{name}.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def done(hospitals, tmp_path_factory) -> fdd.Run:
    """Return a finished run of the two hospitals."""
    return fdd.run(
        clients=[hospitals / "north.csv", hospitals / "south.csv"],
        rounds=1,
        data=hospitals / "server.csv",
        out=tmp_path_factory.mktemp("runs") / "a",
        data_label="kind",
        progress=False,
        **FAST,
    )


def test_clients_with_files_of_their_own_distil_those(done, hospitals):
    entries = {entry.client for entry in Ledger(done.folder / "ledger").entries()}
    assert entries == {"north", "south"}
    # k-means centres of a class, weighted, have the mean of the class's records
    frame = done.synthetic.to_frame()
    own = pd.concat([pd.read_csv(hospitals / f"{name}.csv") for name in ("north", "south")])
    assert sorted(frame.columns[:-2]) == sorted(own.columns[:-1])
    for name, rows in frame.groupby("class"):
        for column in own.columns[:-1]:
            found = np.average(rows[column], weights=rows["weight"])
            real = own.loc[own["kind"] == name, column]
            assert abs(found - real.mean()) < 0.3 * real.std() + 0.05


def test_what_a_run_left_comes_back(done, hospitals):
    test = pd.read_csv(hospitals / "server.csv")
    again = fdd.load_run(str(done.folder))
    assert again.summary == done.summary
    assert again.rows == done.rows
    assert again.config.data.label == "kind"
    assert fdd.evaluate(again.model, test, test["kind"]).accuracy == done.summary.accuracy
    assert torch.equal(again.synthetic.inputs, done.synthetic.inputs)
    assert again.synthetic.schema == again.model.schema
    assert repr(again).startswith("Run(fdd on table: accuracy ")


def test_a_resumed_run_knows_whose_data_it_was(done, hospitals):
    begun = read_begun(done.folder)
    assert begun is not None
    assert begun.own_data == {name: str(hospitals / f"{name}.csv") for name in ("north", "south")}


def test_progress_is_told_in_plain_lines_and_flowers_log_is_not(tmp_path, capsys):
    fdd.run(clients=2, rounds=1, out=tmp_path / "a", **FAST)
    shown = capsys.readouterr()
    assert "round 1/1: accuracy" in shown.out
    assert "INFO" not in shown.out + shown.err
    assert shown.err == ""


def test_averaging_leaves_a_model_and_no_set(tmp_path):
    run = fdd.run(
        clients=2,
        rounds=1,
        data="wine",
        strategy_name="fedavg",
        model_name="logistic",
        out=tmp_path / "a",
        progress=False,
    )
    with pytest.raises(DataError, match="fedavg"):
        _ = run.synthetic
    assert run.model.schema.features[0] == "alcohol"


def test_a_run_that_fails_raises_what_ended_it(tmp_path, monkeypatch):
    monkeypatch.setattr("fdd_flower.launch.outline.check_reach", lambda *_: [])
    with pytest.raises(QuorumError, match="quorum"):
        fdd.run(
            clients=2,
            out=tmp_path / "a",
            progress=False,
            distiller_min_records=100_000,
            **FAST,
        )
    assert "failed" in fdd.load_run(tmp_path / "a").summary.status


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"clients": 0}, "a number from 1"),
        ({"clients": "north.csv"}, r"\['north.csv', 'south.csv'\]"),
        ({"clients": ["a/x.csv", "b/x.csv"]}, "Name the clients"),
        ({"data": "digitz"}, "breast-cancer"),
        ({"data": (1, 2)}, "numpy.savez"),
        ({"rounds": 0}, "from 1"),
        ({"partition_alfa": 1}, "partition_alpha"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(options: dict, told: str, tmp_path):
    with pytest.raises((ConfigError, DataError), match=told):
        fdd.run(out=tmp_path / "a", **options)
    assert not (tmp_path / "a").exists()
