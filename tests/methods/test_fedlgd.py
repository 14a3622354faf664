"""FedLGD as a whole: what travels, what is renewed when, and what is dropped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Message
from safetensors.numpy import load_file

from fdd_flower.ledger import Ledger
from fdd_flower.methods import _virtual_data, fedlgd
from fdd_flower.server.forget import scope_of
from fdd_flower.wire.records import ARRAYS
from tests.methods.federated import arriving_backwards
from tests.methods.test_end_to_end import BAD, rounds, run, summary

FEDLGD: dict[str, Any] = {
    "strategy__name": "fedlgd", "num_server_rounds": 3, "model__name": "mlp", "model__depth": 1,
    "fedlgd__every": 2, "fedlgd__ipc": 3, "local__learning_rate": 0.05,
    "strategy__deadline": 300.0,
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _few_steps() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_virtual_data, "STEPS", 10)
        yield


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """A run of three clients, and what each of them trained on in each round."""
    seen: list[Any] = []
    original = fedlgd.train_beside

    def watched(own: Any, anchors: Any, *args: Any, **options: Any) -> None:
        seen.append((own, anchors))
        original(own, anchors, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fedlgd, "train_beside", watched)
        folder, done = run(tmp_path_factory.mktemp("plain"), clients=3, **FEDLGD)
    assert done
    # Flower asks the clients in any order
    each = [sorted(seen[i : i + 3], key=lambda pair: len(pair[0])) for i in (0, 3, 6)]
    return folder, each


def result(folder: Path) -> list[bytes]:
    return [(folder / n).read_bytes() for n in ("synthetic.safetensors", "model.safetensors")]


def test_global_virtual_data_goes_down_from_round_2_and_is_counted(plain):
    folder, seen = plain
    assert [anchors is None for each in seen for _, anchors in each] == [True] * 3 + [False] * 6
    rows = rounds(folder)
    size = 3 * 10 * 64  # a byte a pixel
    assert 3 * size < rows[1]["bytes_down"] - rows[0]["bytes_down"] < 3 * (size + 2500)
    assert rows[1]["bytes_up"] == rows[0]["bytes_up"]


def test_both_sides_renew_in_the_first_round_and_each_second_after(plain):
    folder, seen = plain
    first, second, third = ([own for own, _ in each] for each in seen)
    for a, b, c in zip(first, second, third, strict=True):
        np.testing.assert_array_equal(a.inputs, b.inputs)
        assert not np.array_equal(b.inputs, c.inputs)
    anchors = [each[0][1] for each in seen]
    np.testing.assert_array_equal(anchors[1].inputs, anchors[2].inputs)
    left = load_file(folder / "synthetic.safetensors")
    assert left["inputs"].shape == (30, 1, 8, 8)
    assert not np.allclose(left["inputs"], anchors[2].inputs, atol=0.05)  # of round 3, after it


def test_the_model_learns_and_every_client_gets_the_same_rows(plain):
    folder, seen = plain
    for each in seen[1:]:
        for _, anchors in each[1:]:
            np.testing.assert_array_equal(anchors.inputs, each[0][1].inputs)
    assert summary(folder)["accuracy"] > 0.3
    assert rounds(folder)[-1]["loss"] < rounds(folder)[0]["loss"]


def test_no_set_leaves_a_client(plain):
    model = set(load_file(plain[0] / "model.safetensors"))
    assert not list((plain[0] / "ledger").glob("*.safetensors"))
    assert model.isdisjoint({"inputs", "targets", "weights"})


def test_arrival_order_changes_nothing(plain, tmp_path):
    with arriving_backwards():
        folder, done = run(tmp_path, clients=3, **FEDLGD)
    assert done
    assert result(folder) == result(plain[0])


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_reply_is_dropped_with_a_code_and_the_round_goes_on(fault, tmp_path):
    changes: dict[str, Any] = FEDLGD | {"num_server_rounds": 2}
    folder, done = run(tmp_path, clients=3, faults={3: fault}, **changes)
    assert done
    assert [(row["replies"], row["rejected"]) for row in rounds(folder)] == [(2, 1), (2, 1)]
    assert {e.verdict for e in Ledger(folder / "ledger").entries()} == {"rejected"}


def test_huge_parameters_do_not_end_the_run_on_the_server(tmp_path):
    def huge(message: Message) -> Message:
        record = message.content[ARRAYS]
        assert isinstance(record, ArrayRecord)
        for name, array in record.items():
            record[name] = Array(np.full_like(array.numpy(), 9e7))
        return message

    changes: dict[str, Any] = FEDLGD | {"num_server_rounds": 1}
    folder, done = run(tmp_path, clients=3, faults={3: huge}, **changes)
    assert done
    assert np.isfinite(load_file(folder / "synthetic.safetensors")["inputs"]).all()


def test_without_global_rows_virtual_data_alone_is_trained_on(tmp_path, monkeypatch):
    seen: list[Any] = []
    original = fedlgd.train_beside

    def watched(own: Any, anchors: Any, *args: Any, **options: Any) -> None:
        seen.append(anchors)
        original(own, anchors, *args, **options)

    monkeypatch.setattr(fedlgd, "train_beside", watched)
    changes: dict[str, Any] = FEDLGD | {"num_server_rounds": 2, "fedlgd__ipc": 0}
    folder, done = run(tmp_path, clients=2, **changes)
    assert done
    assert seen == [None] * 4
    assert not (folder / "synthetic.safetensors").exists()
    assert len({row["bytes_down"] for row in rounds(folder)}) == 1


def test_the_weight_has_an_effect(plain, tmp_path):
    changes: dict[str, Any] = FEDLGD | {"fedlgd__weight": 0.0}
    folder, _ = run(tmp_path, clients=3, **changes)
    assert result(folder) != result(plain[0])


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "packing": ({"distiller__packing": 2}, "distiller.packing"),
    "bytes": ({"distiller__bytes": 9000}, "distiller.bytes"),
    "trained": ({"distiller__embedder": "trained"}, "distiller.embedder"),
    "no global rows": ({"fedlgd__ipc": 0, "fedlgd__weight": 0.5}, "fedlgd.weight"),
    "another method": ({"strategy__name": "fedavg", "fedlgd__ipc": 5}, "fedlgd.ipc"),
    "unknown": ({"distiller__name": "nothing"}, "distiller.name"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_settings_that_would_do_nothing_are_refused_by_name(name, tmp_path, caplog):
    changes, key = REFUSED[name]
    folder, done = run(tmp_path, **FEDLGD | changes)
    assert not done
    assert not folder.exists()
    assert any(key in record.getMessage() for record in caplog.records)


def test_forgetting_says_what_must_be_replayed(plain):
    from fdd_flower.errors import DataError
    from fdd_flower.run_folder.load import load_run

    with pytest.raises(DataError, match="run again without"):
        scope_of(load_run(plain[0]), [], "0")
