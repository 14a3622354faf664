"""Runs whose clients send sketches: any partition, killed, without a client, beside bad replies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Message, RecordDict
from safetensors.numpy import load_file

from fdd_flower.errors import ConfigError, DataError
from fdd_flower.ledger import Ledger
from fdd_flower.ledger.verify import verify
from fdd_flower.run_folder.load import load_run
from fdd_flower.server import server_run
from fdd_flower.server.forget import forget, scope_of
from fdd_flower.wire.records import ARRAYS
from tests.methods.test_end_to_end import QUICK, rounds, run, summary
from tests.server.test_resume import RESULT, Killed, facts, result, resume

RIDGE: dict[str, Any] = {
    "strategy__name": "sketch", "sketch__width": 8, "model__name": "random-features",
    "model__width": 8, "distiller__networks": 8, "distiller__width": 32,
}  # fmt: skip
SETS: dict[str, dict[str, Any]] = {
    "gram": {
        "strategy__name": "sketch",
        "sketch__width": 4,
        "distiller__networks": 8,
        "distiller__width": 32,
    },
    "means": {"strategy__name": "sketch", "sketch__kind": "means"},
    "characteristic": {"strategy__name": "sketch", "sketch__kind": "characteristic"},
    "beside": RIDGE | {"server__models": "logistic"},
}


def model_of(folder: Path) -> dict[str, np.ndarray]:
    return load_file(folder / "model.safetensors")


def test_iid_and_one_class_a_client_give_the_same_model(tmp_path):
    found = []
    cut: dict[str, Any]
    for name, cut in (("iid", {}), ("classes", {"partition__classes_per_client": 1})):
        folder, done = run(
            tmp_path,
            name,
            clients=10,
            num_server_rounds=1,
            partition__name=name,
            **(RIDGE | cut),
        )
        assert done
        assert not (folder / "synthetic.safetensors").exists()
        found.append((summary(folder), model_of(folder)))
    (one, first), (two, second) = found
    assert one["accuracy"] > 0.95
    assert abs(one["accuracy"] - two["accuracy"]) <= 0.002
    head = "head.weight"
    off = np.abs(first[head] - second[head]).max() / np.abs(first[head]).max()
    assert off < 1e-2


@pytest.mark.parametrize(
    ("kind", "other"),
    [("gram", "mlp"), ("means", "mlp"), ("characteristic", ""), ("beside", "logistic")],
)
def test_a_set_is_made_that_any_model_can_be_trained_on(tmp_path, kind, other):
    settings = SETS[kind] | {"server__models": other}
    folder, done = run(
        tmp_path,
        clients=4,
        num_server_rounds=1,
        training__steps=200,
        distiller__steps=40,
        **settings,
    )
    assert done
    made = load_file(folder / "synthetic.safetensors")
    assert made["inputs"].shape == (100, 1, 8, 8)
    assert made["weights"].sum() == pytest.approx(1437, rel=0.05)
    assert (made["origin"] == -1).all()
    found = summary(folder)
    assert found["accuracy"] > 0.6
    if other:
        assert found["accuracy_by_model"][other] > 0.6
        assert load_file(folder / f"model-{other}.safetensors")


def test_the_solved_model_is_the_same_beside_others(tmp_path):
    alone, _ = run(tmp_path, "alone", num_server_rounds=1, sketch__start="noise", **RIDGE)
    more = {"server__models": "mlp", "sketch__start": "noise", "training__steps": 50}
    beside, _ = run(tmp_path, "beside", num_server_rounds=1, **(RIDGE | more))
    assert all(np.array_equal(model_of(alone)[k], v) for k, v in model_of(beside).items())


def names_sent(folder: Path, *clients: str) -> set[str]:
    """Return the names of the arrays of all sketches that a run's ledger has, or of some."""
    ledger, found = Ledger(folder / "ledger"), set[str]()
    for entry in ledger.entries():
        if clients and entry.client not in clients:
            continue
        sketch = ledger.load_any(entry.sha256)
        assert isinstance(sketch, Mapping)
        found |= set(sketch)
    return found


def test_mean_images_are_sent_only_where_rows_start_from_them(tmp_path):
    solved, _ = run(tmp_path, "solved", num_server_rounds=1, **RIDGE)
    made, _ = run(tmp_path, "made", num_server_rounds=1, **SETS["gram"])
    noise, _ = run(tmp_path, "noise", num_server_rounds=1, sketch__start="noise", **SETS["gram"])
    assert names_sent(solved) == names_sent(noise) == names_sent(made) - {"inputs"}
    assert "inputs" in names_sent(made)


def test_where_they_are_not_expected_they_are_refused(tmp_path):
    def more(message: Message) -> Message:
        record = message.content[ARRAYS]
        assert isinstance(record, ArrayRecord)
        record["inputs"] = Array(np.zeros((1, 80), np.uint8))
        return message

    folder, done = run(tmp_path, faults={2: more}, num_server_rounds=1, **RIDGE)
    assert done
    assert rounds(folder)[0]["rejected_codes"] == {"arrays": 1}


@pytest.mark.parametrize(("kind", "when"), [("gram", 1), ("gram", 2), ("means", 1), ("beside", 1)])
def test_killed_and_resumed_it_ends_with_the_same_bytes(tmp_path, monkeypatch, kind, when):
    whole, _ = run(tmp_path, "whole", **SETS[kind])
    finish, done = server_run.ServerRun._finish_round, []

    def die(self: Any, *args: Any) -> Any:
        found = finish(self, *args)
        done.append(1)
        if len(done) == when:
            raise Killed
        return found

    monkeypatch.setattr(server_run.ServerRun, "_finish_round", die)
    with pytest.raises(Killed):
        run(tmp_path, "killed", **SETS[kind])
    monkeypatch.undo()
    folder = tmp_path / "killed"
    for left in (*RESULT, "summary.json"):  # a process that is killed writes none of these
        (folder / left).unlink(missing_ok=True)
    resume(folder, clients=4)
    assert result(folder) == result(whole)
    assert facts(folder) == facts(whole)


def _nothing(message: Message) -> Message:
    message.content = RecordDict()
    return message


@pytest.mark.parametrize(
    "settings", [RIDGE, SETS["means"], SETS["beside"]], ids=["ridge", "set", "both"]
)
def test_a_client_that_is_forgotten_leaves_what_a_run_without_it_gives(tmp_path, settings):
    whole, _ = run(tmp_path, "whole", **settings)
    never, _ = run(tmp_path, "never", faults={3: _nothing}, **settings)
    found = load_run(whole)
    scope = scope_of(found, Ledger(whole / "ledger").entries(), "2")
    assert scope.why == "exact: nothing depended on it"
    new = forget(found, "2", scope, tmp_path / "new")
    assert result(new) == result(never) != result(whole)
    ledger = Ledger(new / "ledger")
    assert {entry.client for entry in ledger.entries()} == {"0", "1", "3"}
    assert list(verify(ledger, ledger.entries())) == []


def _changed(name: str, change: Any) -> Any:
    def fault(message: Message) -> Message:
        record = message.content[ARRAYS]
        assert isinstance(record, ArrayRecord)
        record[name] = Array(change(record[name].numpy().copy()))
        return message

    return fault


def _opposed(message: Message) -> Message:
    """Make each feature go against all others, as no three of them can."""
    _changed("scale", lambda a: a * 100)(message)
    return _changed(
        "rest", lambda a: np.where(np.arange(15)[:, None] == 14, 255, a * 0).astype(np.uint8)
    )(message)


def _copy_of(seen: list[ArrayRecord]) -> Any:
    def fault(message: Message) -> Message:
        record = message.content[ARRAYS]
        assert isinstance(record, ArrayRecord)
        if seen:
            message.content[ARRAYS] = seen[0]
        seen.append(record)
        return message

    return fault


BAD = {
    "nan": (_changed("scale", lambda a: a * np.nan), "not-finite"),
    "infinite": (_changed("main", lambda a: a + np.inf), "not-finite"),
    "type": (_changed("rest", lambda a: a.astype(np.int8)), "dtype"),
    "shape": (_changed("means", lambda a: a[:, :-1]), "shape"),
    "large": (_changed("means", lambda a: np.tile(a, (20, 9))), "too-large"),
    "counts": (_changed("counts", lambda a: a * 10**6), "weights"),
    "none": (_changed("counts", lambda a: a * 0), "empty"),
    "no such products": (_opposed, "range"),
}


@pytest.fixture(scope="module")
def gone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run in which the last client sends nothing usable."""
    folder = tmp_path_factory.mktemp("gone")
    return run(folder, faults={4: _nothing}, num_server_rounds=1, **RIDGE)[0]


@pytest.mark.parametrize("what", BAD)
def test_a_bad_sketch_is_dropped_and_the_round_is_as_without_it(tmp_path, gone, what):
    fault, code = BAD[what]
    bad, done = run(tmp_path, faults={4: fault}, num_server_rounds=1, **RIDGE)
    assert done
    assert rounds(bad)[0]["rejected_codes"] == {code: 1}
    assert result(bad) == result(gone)


def test_a_copy_of_another_clients_sketch_is_dropped(tmp_path):
    fault = _copy_of([])
    folder, done = run(tmp_path, faults={1: fault, 2: fault}, num_server_rounds=1, **RIDGE)
    assert done
    assert rounds(folder)[0]["rejected_codes"] == {"duplicate-set": 1}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"merger.rows": 7}, "merger.rows"),
        ({"codec.name": "float32"}, "codec.name"),
        ({"distiller.networks": 3}, "distiller.networks"),
        ({"distiller.name": "krr"}, "distiller.name"),
        ({"sketch.kind": "means", "sketch.width": 7}, "sketch.width"),
        ({"sketch.kind": "means", "distiller.moments": "covariance"}, "distiller.moments"),
        ({"model.name": "random-features", "model.width": 12}, "model.width"),
        ({"strategy.name": "fdd", "sketch.width": 7}, "sketch.width"),
        ({"scoring.mode": "score"}, "scoring.mode"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused_by_name_before_there_is_a_folder(
    tmp_path, changes, key
):
    from flwr.app import Context

    import client_app
    import server_app
    from fdd_flower.config import Config, to_run_config
    from fdd_flower.local_grid import LocalGrid

    config = to_run_config(Config()) | {"training.steps": QUICK["training.steps"]}
    config |= {"strategy.name": "sketch", "output.dir": str(tmp_path / "run")} | changes
    context = Context(run_id=1, node_id=0, node_config={}, state=RecordDict(), run_config=config)
    with pytest.raises(ConfigError) as caught:
        server_app.app(LocalGrid(client_app.app, 2, config), context)
    assert caught.value.what == key
    assert not (tmp_path / "run").exists()


def test_a_run_of_another_strategy_still_cannot_forget(tmp_path):
    folder, _ = run(tmp_path, strategy__name="fedavg", num_server_rounds=1)
    with pytest.raises(DataError, match="whose sets and sketches are in the ledger"):
        scope_of(load_run(folder), Ledger(folder / "ledger").entries(), "0")
