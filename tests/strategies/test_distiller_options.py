"""Options of the distillers, through the real apps: what travels, and what is refused first."""

from __future__ import annotations

import numpy as np
import pytest
from flwr.app import Message
from safetensors.numpy import load_file

from fdd_flower.strategies.fdd import FederatedDistillation
from fdd_flower.wire.records import PEERS, message_bytes
from tests.strategies.test_end_to_end import rounds, run, summary


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
        tmp_path, clients=2, codec__name=codec, distiller__bytes=budget, partition__name="iid",
        num_server_rounds=1,
    )  # fmt: skip
    assert done
    assert len(sizes) == 2
    for size in sizes:
        assert 0.6 * budget < size <= budget


def test_a_budget_too_small_for_a_row_a_class_is_refused_by_the_client(tmp_path, caplog):
    folder, done = run(tmp_path, distiller__bytes=2000, partition__name="iid")
    assert not done
    assert "distiller.bytes: expected room for one row a class" in caplog.text
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
        tmp_path, clients=3, distiller__name="krr", distiller__peers=True,
        distiller__first="kmeans", distiller__ipc=2, partition__name="iid",
    )  # fmt: skip
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
    ("changes", "said"),
    [
        ({"data__name": "wine", "distiller__packing": 2}, "distiller.packing"),
        ({"distiller__name": "krr", "distiller__peers": True}, "distiller.first"),
        ({"distiller__labels": "global", "num_server_rounds": 1}, "distiller.labels"),
        ({"distiller__seconds": 0.0}, "distiller.seconds"),
        ({"distiller__bytes": 600}, "distiller.bytes: expected at least"),
        (
            {"distiller__name": "krr", "distiller__peers": True, "distiller__first": "dc"},
            "distiller.first",
        ),
    ],
)
def test_an_option_that_does_not_fit_ends_the_run_before_a_folder_is_made(
    tmp_path, caplog, changes, said
):
    folder, done = run(tmp_path, **changes)
    assert not done
    assert not folder.exists()
    assert said in caplog.text


@pytest.mark.parametrize("embedder", ["trained", "global"])
@pytest.mark.parametrize("labels", ["global", "local", "ridge"])
def test_embedders_and_soft_labels_run_from_the_first_round(tmp_path, embedder, labels):
    folder, done = run(
        tmp_path, distiller__embedder=embedder, distiller__labels=labels,
        distiller__embedder_steps=5, distiller__teacher_steps=5,
    )  # fmt: skip
    assert done
    targets = load_file(folder / "synthetic.safetensors")["targets"]
    assert np.allclose(targets.sum(axis=1), 1, atol=1e-3)
    assert (targets.max(axis=1) < 0.99).any()
