"""The client half: whose data, whose name, and whose word counts."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pytest
from flwr.app import Context, RecordDict
from sklearn.datasets import load_digits

import client_app
import server_app
from fdd_flower.client.identity import client_key
from fdd_flower.config import Config, to_run_config
from fdd_flower.errors import FddError
from fdd_flower.ledger import Ledger
from fdd_flower.local_grid import LocalGrid
from tests.methods.test_end_to_end import QUICK


def _context(**node: object) -> Context:
    config = {name.replace("_", "-"): value for name, value in node.items()}
    return Context(run_id=1, node_id=42, node_config=config, state=RecordDict(), run_config={})  # type: ignore[arg-type]


def test_a_client_is_named_by_its_node_config_before_its_node_id():
    assert client_key(_context(client_name="ward", partition_id=3)) == "ward"
    assert client_key(_context(partition_id=3)) == "3"
    assert client_key(_context()) == "42"


@pytest.fixture
def own_data(tmp_path):
    """Write a server's test file and two clients' own files of different classes."""
    digits: Any = load_digits()
    x, y = (digits.images / 16)[:, None].astype(np.float32), digits.target
    held = np.arange(len(y)) % 5 == 0
    parts = {"test": held, "a": ~held & (y < 6), "b": ~held & (y >= 4)}
    for name, rows in parts.items():
        np.savez(tmp_path / f"{name}.npz", x=x[rows], y=y[rows])
    return tmp_path


def _deploy(folder, node_extra=None, **settings):
    nodes = {
        node: {"client-name": name, "data-path": str(folder / f"{name}.npz"), **(node_extra or {})}
        for node, name in ((1, "a"), (2, "b"))
    }
    config = to_run_config(Config()) | QUICK | {"num-server-rounds": 1, "data.name": "npz"}
    config |= {"data.path": str(folder / "test.npz"), "data.test-fraction": 1.0}
    config |= {"output.dir": str(folder / "run"), "training.steps": 150} | settings
    grid = LocalGrid(client_app.app, 2, config, node_configs=nodes)
    context = Context(run_id=1, node_id=0, node_config={}, state=RecordDict(), run_config=config)
    server_app.app(grid, context)
    return json.loads((folder / "run" / "summary.json").read_text())


def test_clients_with_data_of_their_own_and_other_classes_teach_all_of_them(own_data):
    summary = _deploy(own_data)
    assert summary["status"] == "completed"
    assert len(summary["accuracy_per_class"]) == 10
    assert summary["accuracy"] > 0.8
    entries = Ledger(own_data / "run" / "ledger").entries()
    assert [entry.client for entry in entries] == ["a", "b"]


SKETCH = {"strategy.name": "sketch", "sketch.kind": "means"}
UNSAFE = [
    ({"distiller.name": "random"}, "distiller.name=random"),
    ({"distiller.start": "real-unsafe"}, "distiller.start=real-unsafe"),
    ({"distiller.min-records": 1}, "distiller.min-records: expected at least 8"),
]


@pytest.mark.parametrize(("settings", "says"), UNSAFE)
def test_a_server_cannot_ask_for_real_records_of_a_clients_own_data(
    own_data, settings, says, caplog
):
    with pytest.raises(FddError, match="0 usable and 2 dropped"):
        _deploy(own_data, **settings)
    refusals = [r.getMessage() for r in caplog.records if "refuses" in r.getMessage()]
    assert len(refusals) == 2
    assert says in refusals[0]


@pytest.mark.parametrize(("settings", "says"), UNSAFE)
def test_the_owner_of_the_data_may_allow_it(own_data, settings, says):
    extra = {"allow-real-records": True, "min-records": 1}
    assert _deploy(own_data, extra, **settings)["status"] == "completed"


def test_a_client_may_ask_for_the_masks_of_a_secure_sum(own_data, caplog):
    with pytest.raises(FddError, match="0 usable and 2 dropped"):
        _deploy(own_data, {"secure-sum": True}, **SKETCH)
    refusals = [r.getMessage() for r in caplog.records if "refuses" in r.getMessage()]
    assert "sketch.secure-sum: expected true, which this client asks for" in refusals[0]


@pytest.mark.parametrize("name", ["secure-sum", "allow-real-records"])
@pytest.mark.parametrize("value", ["true", 1, "no"])
def test_what_an_owner_says_in_another_way_is_not_passed_over(own_data, name, value, caplog):
    with pytest.raises(FddError, match="0 usable and 2 dropped"):
        _deploy(own_data, {name: value})
    refusals = [r.getMessage() for r in caplog.records if "refuses" in r.getMessage()]
    assert f"node config {name}: expected true or false; got {value!r}" in refusals[0]


def test_and_gets_them(own_data):
    settings = SKETCH | {"sketch.secure-sum": True}
    assert _deploy(own_data, {"secure-sum": True}, **settings)["status"] == "completed"


def test_the_path_of_the_node_goes_before_the_run_s(own_data, monkeypatch):
    npz = sys.modules["fdd_flower.data.sources.npz"]
    read, load = [], npz.read_arrays

    def note(path):
        read.append(path.name)
        return load(path)

    monkeypatch.setattr(npz, "read_arrays", note)
    (own_data / "secret.npz").write_bytes((own_data / "test.npz").read_bytes())
    _deploy(own_data, **{"data.path": str(own_data / "secret.npz")})
    # the server's own records once, and each client's from its node config
    assert sorted(read) == ["a.npz", "b.npz", "secret.npz"]


@pytest.mark.parametrize("name", ["min-records", "secure-sum"])
def test_what_an_owner_says_holds_without_a_path_too(tmp_path, name, caplog):
    word = {"min-records": 32, "secure-sum": True}[name]
    nodes = {n: {"partition-id": n - 1, "num-partitions": 2, name: word} for n in (1, 2)}
    config = to_run_config(Config()) | QUICK | {"output.dir": str(tmp_path / "run")}
    context = Context(run_id=1, node_id=0, node_config={}, state=RecordDict(), run_config=config)
    grid = LocalGrid(client_app.app, 2, config, node_configs=nodes)
    with pytest.raises(FddError, match="0 usable and 2 dropped"):
        server_app.app(grid, context)
    assert "which this client asks for" in caplog.text
