"""Options of the distillers, through the real apps: what travels, and what is refused first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, Message
from safetensors.numpy import load_file

from fdd_flower.client.side import ClientSide
from fdd_flower.config import Scalar
from fdd_flower.errors import WireError
from fdd_flower.mergers.base import MERGERS
from fdd_flower.server.distillation import FederatedDistillation
from fdd_flower.wire.records import ARRAYS, PEERS, message_bytes
from tests.methods.test_end_to_end import rounds, run, summary
from tests.server.test_resume import result, settings_of, start


def test_packed_rows_travel_and_images_are_merged(tmp_path):
    plain, _ = run(tmp_path, "plain", distiller__ipc=4, num_server_rounds=1)
    packed, done = run(
        tmp_path, "packed", distiller__ipc=4, distiller__packing=2, num_server_rounds=1
    )
    assert done
    few, many = (load_file(f / "synthetic.safetensors")["inputs"] for f in (plain, packed))
    assert len(many) > 2 * len(few)
    assert rounds(packed)[0]["bytes_up"] <= 1.1 * rounds(plain)[0]["bytes_up"]


@pytest.mark.parametrize(("codec", "budget"), [("uint8", 4000), ("float32", 12_000)])
def test_no_reply_is_larger_than_the_byte_budget_and_most_of_it_is_used(
    tmp_path, codec, budget, monkeypatch
):
    sizes = []
    original = FederatedDistillation.aggregate_train

    def weighed(self, server_round, replies):
        replies = list(replies)
        sizes.extend(message_bytes(reply.content) for reply in replies)
        return original(self, server_round, replies)

    monkeypatch.setattr(FederatedDistillation, "aggregate_train", weighed)
    _, done = run(
        tmp_path,
        clients=2,
        codec__name=codec,
        distiller__bytes=budget,
        partition__name="iid",
        num_server_rounds=1,
    )
    assert done
    assert len(sizes) == 2
    for size in sizes:
        assert 0.6 * budget < size <= budget


def test_a_budget_too_small_for_a_row_a_class_is_refused_by_the_client(tmp_path, caplog):
    folder, done = run(tmp_path, distiller__bytes=2000, partition__name="iid")
    assert not done
    assert "distiller.bytes: expected room for one row per class" in caplog.text
    most = "0 usable and 4 dropped, 4 of them 'refused', such as client 0: expected a set; got a"
    assert f"{most} refusal (DistillError)" in summary(folder)["status"]


def test_peers_go_down_from_the_second_round_without_the_client_s_own_rows(tmp_path, monkeypatch):
    sent: list[list[Message]] = []
    original = FederatedDistillation.configure_train

    def watched(self, *args):
        messages = list(original(self, *args))
        sent.append(messages)
        return messages

    monkeypatch.setattr(FederatedDistillation, "configure_train", watched)
    folder, done = run(
        tmp_path,
        clients=3,
        distiller__name="krr",
        distiller__peers=True,
        distiller__ipc=2,
        partition__name="iid",
    )
    assert done
    assert summary(folder)["rounds"] == 2
    assert all(PEERS not in message.content for message in sent[0])
    records = [message.content.array_records[PEERS] for message in sent[1]]
    down = [record["inputs"].numpy() for record in records]
    assert len(down) == 3
    assert len({array.tobytes() for array in down}) == 3
    assert np.ptp([len(array) for array in down]) <= 20
    assert rounds(folder)[1]["bytes_down"] > rounds(folder)[0]["bytes_down"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, [False, False]),
        ({"distiller.embedder": "global"}, [True, True]),
        ({"distiller.labels": "global"}, [False, True]),  # nobody's labels in the first round
        ({"strategy.name": "sketch", "sketch.width": 4}, [False, False]),
        ({"strategy.name": "fedaf"}, [False, True]),  # it has learned nothing in the first
    ],
    ids=["random", "embedder", "labels", "sketch", "fedaf"],
)
def test_the_model_goes_down_only_where_clients_use_it(tmp_path, monkeypatch, changes, told):
    arrays: list[bool] = []
    original = FederatedDistillation.configure_train

    def watched(self, *args):
        messages = list(original(self, *args))
        arrays.append(all(message.content[ARRAYS] for message in messages))
        return messages

    monkeypatch.setattr(FederatedDistillation, "configure_train", watched)
    settings = settings_of(tmp_path / "run") | changes | {"num-server-rounds": 2}
    if changes.get("strategy.name") == "sketch":  # it refuses options that it does not use
        unused = [k for k in settings if k.startswith("distiller.") and k != "distiller.steps"]
        settings = {k: v for k, v in settings.items() if k not in unused}
    start(settings)
    assert arrays == told
    assert summary(tmp_path / "run")["status"] == "completed"


def test_a_client_that_was_sent_no_model_and_needs_one_refuses():
    side = ClientSide.__new__(ClientSide)
    object.__setattr__(side, "arrays", ArrayRecord())
    with pytest.raises(WireError, match=r"plan\.arrays: .*got none"):
        side.global_model()


PEERS_DOWN: dict[str, Scalar] = {
    "distiller.name": "krr", "distiller.peers": True,
    "distiller.ipc": 2, "partition.name": "iid", "num-server-rounds": 2,
}  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"merger.name": "herded"},
        {"merger.name": "redistil", "merger.rows": 3, "merger.steps": 5},
    ],
    ids=["herded", "redistil"],
)
def test_what_goes_down_is_of_the_seed_and_no_runs_own(tmp_path, changes):
    for run_id in (1, 2):
        folder = tmp_path / str(run_id)
        start(settings_of(folder) | PEERS_DOWN | changes, run_id=run_id)
    assert result(tmp_path / "1") == result(tmp_path / "2")


def test_a_set_that_the_server_distils_goes_down_to_all_alike(tmp_path, monkeypatch):
    merges: list[int] = []
    redistil: Any = MERGERS.get("redistil")
    original = redistil.merge

    def counted(self, parts, *, rng):
        merges.append(len(parts))
        return original(self, parts, rng=rng)

    monkeypatch.setattr(redistil, "merge", counted)
    changes = {"merger.name": "redistil", "merger.rows": 3, "merger.steps": 5}
    start(settings_of(tmp_path / "run") | PEERS_DOWN | changes, clients=4)
    assert merges == [4, 4]  # one a round, however many clients
    first, second = rounds(tmp_path / "run")
    more = second["bytes_down"] - first["bytes_down"]
    assert 4 * 10 * 3 * 64 < more < 4 * (10 * 3 * (64 + 10 * 4 + 4) + 4096)


def test_a_client_that_restarts_does_not_get_its_own_rows(tmp_path, monkeypatch):
    """In round 2 the first of three clients is back as node 4."""
    down: dict[int, np.ndarray] = {}
    original, gone = FederatedDistillation.configure_train, {4}

    def watched(self, server_round, *args):
        if server_round == 2:
            gone.clear()
            gone.add(1)
        messages = list(original(self, server_round, *args))
        if server_round == 2:
            for one in messages:
                peers = one.content.array_records[PEERS]
                down[one.metadata.dst_node_id] = peers["inputs"].numpy()
        return messages

    monkeypatch.setattr(FederatedDistillation, "configure_train", watched)
    nodes = {4: {"partition-id": 0, "num-partitions": 3}} | {
        node: {"partition-id": node - 1, "num-partitions": 3} for node in (1, 2, 3)
    }
    settings = settings_of(tmp_path / "run") | PEERS_DOWN
    start(settings, clients=4, absent=gone, node_configs=nodes)
    assert sorted(down) == [2, 3, 4]
    assert len({len(rows) for rows in down.values()}) == 1  # each the rows of two others


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data__name": "wine", "distiller__packing": 2}, "distiller.packing"),
        ({"distiller__labels": "global", "num_server_rounds": 1}, "distiller.labels"),
        ({"distiller__seconds": 0.0}, "distiller.seconds"),
        ({"distiller__bytes": 600}, "distiller.bytes: expected at least"),
    ],
)
def test_an_option_that_does_not_fit_ends_the_run_before_a_folder_is_made(
    tmp_path, caplog, changes, said
):
    folder, done = run(tmp_path, **changes)
    assert not done
    assert not folder.exists()
    assert said in caplog.text


@pytest.mark.parametrize(
    ("embedder", "labels"), [("trained", "global"), ("trained", "local"), ("global", "ridge")]
)
def test_embedders_and_soft_labels_run_from_the_first_round(
    tmp_path, monkeypatch, embedder, labels
):
    monkeypatch.setattr("fdd_flower.distillers.parts.labels.TEACHER_STEPS", 5)
    folder, done = run(
        tmp_path,
        distiller__embedder=embedder,
        distiller__labels=labels,
        distiller__embedder_steps=5,
    )
    assert done
    targets = load_file(folder / "synthetic.safetensors")["targets"]
    assert np.allclose(targets.sum(axis=1), 1, atol=1e-3)
    assert (targets.max(axis=1) < 0.99).any()
