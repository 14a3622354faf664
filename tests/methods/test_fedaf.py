"""FedAF as a whole: what travels, what is refused, what the server makes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import Array, ArrayRecord, Message

from fdd_flower.ledger import Ledger
from fdd_flower.methods.fedaf import AggregationFree
from fdd_flower.training.class_logits import BOUND
from fdd_flower.wire.class_logits import HELD, read_logits
from fdd_flower.wire.records import ARRAYS, LOGITS, META
from fdd_flower.wire.refusals import RefusedError
from tests.methods.federated import arriving_backwards
from tests.methods.test_end_to_end import rounds, run

FEDAF: dict[str, Any] = {
    "strategy__name": "fedaf", "num_server_rounds": 3, "training__steps": 60,
    "strategy__deadline": 300.0,
    "model__name": "mlp", "model__depth": 1,
}  # fmt: skip
QUICKEST = {"training__steps": 3, "distiller__steps": 1}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """A run of three clients, and the logits beside the model on the way down."""
    sent: list[Any] = []
    original = AggregationFree._more_to_send

    def watched(self: AggregationFree, server_round: int) -> Any:
        found = original(self, server_round)
        sent.append({name: read_logits(record, 10) for name, record in found.items()})
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AggregationFree, "_more_to_send", watched)
        folder, done = run(tmp_path_factory.mktemp("plain"), clients=3, **FEDAF)
    assert done
    return folder, sent


def digest(folder: Path) -> list[str]:
    return [
        hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("synthetic.safetensors", "model.safetensors")
    ]


def test_logits_go_up_from_round_2_and_down_from_round_3_and_are_counted(plain):
    folder, sent = plain
    assert [list(each) for each in sent] == [[], [], [LOGITS]]
    rows = rounds(folder)
    size = 10 * 10 * 4 + 10
    assert 3 * size < rows[1]["bytes_up"] - rows[0]["bytes_up"] < 3 * (size + 500)
    assert rows[0]["bytes_down"] < 3 * 1000  # no model yet: nobody needs it
    assert 3 * size < rows[2]["bytes_down"] - rows[1]["bytes_down"] < 3 * (size + 500)
    assert rows[-1]["accuracy"] > 0.7


def test_round_1_is_that_of_dm_as_the_model_has_learned_nothing(plain, tmp_path):
    settings: dict[str, Any] = FEDAF | {"strategy__name": "fdd", "num_server_rounds": 1}
    folder, done = run(tmp_path, clients=3, **settings)
    assert done
    sets = [
        {e.client: e.sha256 for e in Ledger(each / "ledger").entries() if e.round == 1}
        for each in (folder, plain[0])
    ]
    assert len(sets[0]) == 3
    assert sets[0] == sets[1]


def test_they_have_their_place_in_a_budget_of_bytes(tmp_path):
    settings: dict[str, Any] = FEDAF | QUICKEST
    settings |= {"distiller__bytes": 4000, "partition__name": "iid"}
    folder, done = run(tmp_path, clients=3, **settings)
    assert done
    sizes = [entry.bytes for entry in Ledger(folder / "ledger").entries()]
    assert len(sizes) == 9
    assert all(2500 < size <= 4000 for size in sizes)


def test_the_ledger_keeps_them_and_their_mean_goes_down(plain):
    folder, sent = plain
    ledger = Ledger(folder / "ledger")
    entries = [e for e in ledger.entries() if e.round == 2]
    parts = [ledger.load(e.sha256) for e in entries]
    assert all(set(part.beside) == {LOGITS, HELD} for part in parts)
    assert not any(ledger.load(e.sha256).beside for e in ledger.entries() if e.round == 1)
    (found,) = sent[2].values()
    for c in range(10):
        known = [p.beside[LOGITS][c].numpy() for p in parts if p.beside[HELD][c]]
        assert bool(found.held[c]) == bool(known)
        if known:
            np.testing.assert_allclose(found.values[c], np.mean(known, axis=0), atol=1e-5)


def test_a_class_below_min_records_is_not_told(plain):
    from fdd_flower.config import Config
    from fdd_flower.data import client_share, load_dataset

    ledger = Ledger(plain[0] / "ledger")
    dataset = load_dataset(Config().data, seed=0)
    some = False
    for entry in ledger.entries():
        if entry.round != 2:
            continue
        own = client_share(
            dataset, Config().partition, client=int(entry.client), num_clients=3, seed=0
        )
        counts = own.labels.bincount(minlength=10)
        held = ledger.load(entry.sha256).beside[HELD] > 0
        assert torch.equal(held, counts >= 8)
        some |= bool(((counts > 0) & (counts < 8)).any())
    assert some


def test_a_changed_logit_is_another_content(plain, tmp_path):
    from dataclasses import replace

    ledger = Ledger(plain[0] / "ledger")
    entry = next(e for e in ledger.entries() if e.round == 2)
    part = ledger.load(entry.sha256)
    other = replace(part, beside={**part.beside, LOGITS: part.beside[LOGITS] + 1})
    new = Ledger(tmp_path / "ledger")
    key = {"client": "0", "round": 1, "plan": "p", "num_bytes": 1}
    assert new.record(part, **key) == entry.sha256
    assert new.record(other, **key) != entry.sha256


def change(
    name: str, new: Callable[[np.ndarray], np.ndarray | None]
) -> Callable[[Message], Message]:
    def fault(message: Message) -> Message:
        record = message.content[ARRAYS]
        assert isinstance(record, ArrayRecord)
        if int(message.content[META]["round"]) < 2:  # type: ignore[arg-type, index, call-overload]
            return message
        found = new(record[name].numpy().copy())
        if found is None:
            del record[name]
        else:
            record[name] = Array(found)
        return message

    return fault


def at(place: Any, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def new(values: np.ndarray) -> np.ndarray:
        values[place] = value
        return values

    return new


HOSTILE = {
    "not finite": (change(LOGITS, at((0, 0), np.nan)), "not-finite"),
    "infinite": (change(LOGITS, at(9, np.inf)), "not-finite"),
    "huge": (change(LOGITS, at(slice(None), 2 * BOUND)), "range"),
    "wider": (change(LOGITS, lambda v: np.zeros((10, 11), np.float32)), "shape"),
    "endless": (change(LOGITS, lambda v: np.zeros((10, 10, 50), np.float32)), "too-large"),
    "double": (change(LOGITS, lambda v: v.astype(np.float64)[:5]), "dtype"),
    "without": (change(LOGITS, lambda v: None), "arrays"),
    "without a mask": (change(HELD, lambda v: None), "arrays"),
    "mask of twos": (change(HELD, at(slice(None), 2)), "range"),
    "mask too long": (change(HELD, lambda v: np.zeros(11, np.uint8)), "shape"),
    "values of a class that is not there": (change(HELD, at(slice(None), 0)), "range"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_logits_are_dropped_with_a_code_and_the_round_goes_on(name, tmp_path):
    fault, code = HOSTILE[name]
    changes: dict[str, Any] = FEDAF | {"num_server_rounds": 2, **QUICKEST}
    folder, done = run(tmp_path, clients=3, faults={2: fault}, **changes)
    assert done
    assert [row["replies"] for row in rounds(folder)] == [3, 2]
    assert rounds(folder)[1]["rejected_codes"] == {code: 1}
    assert [e.code for e in Ledger(folder / "ledger").entries() if e.code] == [code]


def test_logits_that_nobody_asked_for_are_refused(tmp_path):
    def early(message: Message) -> Message:
        record = message.content[ARRAYS]
        assert isinstance(record, ArrayRecord)
        record[LOGITS] = Array(np.zeros((10, 10), np.float32))
        return message

    changes: dict[str, Any] = FEDAF | {"num_server_rounds": 1, **QUICKEST}
    folder, _ = run(tmp_path, clients=3, faults={2: early}, **changes)
    assert rounds(folder)[0]["rejected_codes"] == {"arrays": 1}


def test_arrival_order_changes_nothing(plain, tmp_path):
    with arriving_backwards():
        folder, done = run(tmp_path, clients=3, **FEDAF)
    assert done
    assert digest(folder) == digest(plain[0])


@pytest.mark.parametrize("key", ["local_weight", "global_weight"])
def test_every_weight_has_an_effect(key, plain, tmp_path):
    changes: dict[str, Any] = FEDAF | {f"fedaf__{key}": 0.0}
    folder, _ = run(tmp_path, clients=3, **changes)
    assert digest(folder) != digest(plain[0])


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "ncfm": ({"distiller__name": "ncfm"}, "distiller.name"),
    "trained": ({"distiller__embedder": "trained"}, "distiller.embedder"),
    "another method": (
        {"strategy__name": "fdd", "fedaf__global_weight": 0.5},
        "fedaf.global-weight",
    ),
    "one round": ({"num_server_rounds": 1, "fedaf__global_weight": 0.5}, "fedaf.global-weight"),
    "two rounds": ({"num_server_rounds": 2, "fedaf__local_weight": 0.5}, "fedaf.local-weight"),
    "no room": ({"distiller__bytes": 2000}, "and 922 for the logits; got 2000"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_settings_that_would_do_nothing_are_refused_by_name(name, tmp_path, caplog):
    changes, key = REFUSED[name]
    folder, done = run(tmp_path, **FEDAF | changes)
    assert not done
    assert not folder.exists()
    assert any(f"{key}" in record.getMessage() for record in caplog.records)


def test_a_client_refuses_bad_logits_of_a_server():
    record = ArrayRecord(
        {LOGITS: Array(np.full((3, 3), np.nan, np.float32)), HELD: Array(np.ones(3, np.uint8))}
    )
    with pytest.raises(RefusedError, match="finite"):
        read_logits(record, 3)
