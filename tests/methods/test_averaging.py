"""Flower's strategies behind our checks, against numpy on the replies that were sent."""

from __future__ import annotations

import numpy as np
import pytest
from flwr.app import ArrayRecord, Message
from flwr.common.serde import recorddict_to_proto
from safetensors.numpy import load_file

from fdd_flower.server.judging.duplicates import client_order
from fdd_flower.wire.records import ARRAYS, METRICS
from tests.methods.test_end_to_end import rounds, run

CLIENTS = 5


def _captured(tmp_path, **settings):
    """Run one round; return the folder and the replies that reached the server."""
    replies: list[Message] = []

    def keep(message: Message) -> Message:
        replies.append(message)
        return message

    faults = dict.fromkeys(range(1, CLIENTS + 1), keep)
    folder, done = run(tmp_path, clients=CLIENTS, faults=faults, num_server_rounds=1, **settings)
    assert done
    return folder, replies


def _stacked(replies: list[Message]) -> dict[str, np.ndarray]:
    records = [message.content[ARRAYS] for message in replies]
    assert all(isinstance(record, ArrayRecord) for record in records)
    return {name: np.stack([r[name].numpy() for r in records]) for name in records[0]}  # type: ignore[index]


def _counts(replies: list[Message]) -> np.ndarray:
    return np.array([message.content[METRICS]["num-examples"] for message in replies], float)


@pytest.mark.parametrize("strategy", ["fedavg", "fedprox"])
def test_the_mean_is_weighted_by_records(tmp_path, strategy):
    folder, replies = _captured(tmp_path, strategy__name=strategy)
    model, counts = load_file(folder / "model.safetensors"), _counts(replies)
    assert counts.sum() == 1437  # the training part of the digits
    for name, stack in _stacked(replies).items():
        want = np.tensordot(counts / counts.sum(), stack, axes=1)
        np.testing.assert_allclose(model[name], want, atol=1e-6)


def test_the_median_is_taken_of_each_parameter(tmp_path):
    folder, replies = _captured(tmp_path, strategy__name="fedmedian")
    model = load_file(folder / "model.safetensors")
    for name, stack in _stacked(replies).items():
        np.testing.assert_allclose(model[name], np.median(stack, axis=0), atol=1e-6)


def test_krum_keeps_the_update_nearest_to_its_neighbours(tmp_path):
    folder, replies = _captured(
        tmp_path, strategy__name="krum", strategy__num_malicious=1, partition__name="iid"
    )
    stacks = _stacked(replies)
    flat = np.concatenate([s.reshape(CLIENTS, -1) for s in stacks.values()], axis=1)
    squared = ((flat[:, None] - flat[None]) ** 2).sum(axis=-1)
    nearest = np.sort(squared, axis=1)[:, 1 : 1 + CLIENTS - 1 - 2]  # n - f - 2 neighbours
    chosen = nearest.sum(axis=1).argmin()
    model = load_file(folder / "model.safetensors")
    for name, stack in stacks.items():
        np.testing.assert_allclose(model[name], stack[chosen], atol=1e-6)


def test_a_heavy_proximal_term_holds_clients_together(tmp_path):
    spread = []
    for mu in (0.0, 50.0):
        _, replies = _captured(
            tmp_path / str(mu), strategy__name="fedprox", strategy__proximal_mu=mu
        )
        spread.append(sum(float(s.std(axis=0).sum()) for s in _stacked(replies).values()))
    assert spread[1] < 0.5 * spread[0]


@pytest.mark.parametrize("strategy", ["fdd", "fedavg"])
def test_bytes_up_are_those_of_the_serialised_replies(tmp_path, strategy):
    folder, replies = _captured(tmp_path, strategy__name=strategy)
    sizes = [len(recorddict_to_proto(m.content).SerializeToString()) for m in replies]
    assert rounds(folder)[0]["bytes_up"] == sum(sizes)


def test_clients_are_ordered_by_number_before_name():
    keys = ["10", "b", "2", "a", "0"]
    assert sorted(keys, key=client_order) == ["0", "2", "10", "a", "b"]
