"""SCAFFOLD and FedNova against loops over steps in numpy, written from the papers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from flwr.app import ArrayRecord

from fdd_flower.client.averaging import local_steps, sum_of_weights
from fdd_flower.errors import FddError
from fdd_flower.server.resumed_strategy import Stateful
from tests.methods.federated import COUNTS, LOCAL, Federation, batches, gradient

ROUNDS = (1, 2, 3)
SHARES = {key: sum(counts) for key, counts in COUNTS.items()}
SHARES = {key: count / sum(SHARES.values()) for key, count in SHARES.items()}


def weights_of_gradients(steps: int, momentum: float) -> np.ndarray:
    """Return how often each gradient counts in the sum of all steps of SGD with momentum."""
    counted, velocity = np.zeros(steps), np.zeros(steps)
    for step in range(steps):
        velocity *= momentum
        velocity[step] += 1
        counted += velocity
    return counted


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("steps", [1, 2, 7, 300])
def test_the_count_of_gradients_is_that_of_the_loop(steps, momentum):
    want = weights_of_gradients(steps, momentum).sum()
    assert sum_of_weights(steps, momentum) == pytest.approx(want, rel=1e-9)


def test_steps_are_those_that_training_takes():
    federation = Federation("fednova")
    for key, data in federation.data.items():
        assert local_steps(len(data), LOCAL) == len(batches(federation, key, 1))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_scaffold_is_the_papers_loop(momentum):
    """A client's new variate is checked as what it means: the mean of the gradients it saw."""
    federation = Federation("scaffold", local=replace(LOCAL, momentum=momentum))
    x = federation.weights()
    c, own = np.zeros_like(x), {key: np.zeros_like(x) for key in COUNTS}
    for number in ROUNDS:
        mean, change = np.zeros_like(x), np.zeros_like(x)
        for key, data in federation.data.items():
            y, velocity, seen = x.copy(), np.zeros_like(x), []
            for picked in batches(federation, key, number):
                seen.append(gradient(y, data, picked))
                velocity = momentum * velocity + seen[-1] + c - own[key]
                y -= LOCAL.learning_rate * velocity
            counted = weights_of_gradients(len(seen), momentum)
            new = counted @ np.array(seen) / counted.sum()
            mean += SHARES[key] * y
            change += SHARES[key] * (new - own[key])
            own[key] = new
        x, c = mean, c + 3 / 4 * change  # three of four connected clients replied
        federation.round(number)
        np.testing.assert_allclose(federation.weights(), x, atol=2e-5)
        assert isinstance(federation.strategy, Stateful)
        state = federation.strategy.state()
        found = np.concatenate([state[n].numpy().ravel() for n in ("head.weight", "head.bias")])
        np.testing.assert_allclose(found, c, atol=2e-5)
    assert np.abs(c).max() > 0.01


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_fednova_is_the_papers_loop(momentum):
    federation = Federation("fednova", local=replace(LOCAL, momentum=momentum))
    x, rate = federation.weights(), LOCAL.learning_rate
    for number in ROUNDS:
        direction, size = np.zeros_like(x), 0.0
        for key, data in federation.data.items():
            y, velocity, seen = x.copy(), np.zeros_like(x), []
            for picked in batches(federation, key, number):
                seen.append(gradient(y, data, picked))
                velocity = momentum * velocity + seen[-1]
                y -= rate * velocity
            counted = weights_of_gradients(len(seen), momentum)
            direction += SHARES[key] * (counted @ np.array(seen)) / counted.sum()
            size += SHARES[key] * counted.sum()
        x = x - size * rate * direction
        federation.round(number)
        np.testing.assert_allclose(federation.weights(), x, atol=2e-5)


def test_scaffold_with_zero_variates_is_fedavg():
    plain, found = Federation("fedavg"), Federation("scaffold")
    for federation in (plain, found):
        federation.round(1)
    np.testing.assert_array_equal(found.weights(), plain.weights())
    for federation in (plain, found):
        federation.round(2)
    assert np.abs(found.weights() - plain.weights()).max() > 1e-3


def test_fednova_with_equal_steps_is_fedavg():
    local = replace(LOCAL, batch_size=1000)
    plain, found = Federation("fedavg", local=local), Federation("fednova", local=local)
    for number in ROUNDS:
        for federation in (plain, found):
            federation.round(number)
    np.testing.assert_allclose(found.weights(), plain.weights(), atol=1e-6)
    plain, found = Federation("fedavg"), Federation("fednova")
    for federation in (plain, found):
        federation.round(1)
    assert np.abs(found.weights() - plain.weights()).max() > 1e-3


def test_a_client_whose_variate_is_not_finite_keeps_the_old_one():
    federation = Federation("scaffold")
    federation.round(1)
    before = {key: c.state["fdd-control-variate"] for key, c in federation.contexts.items()}
    state = federation.strategy.state()  # type: ignore[attr-defined]
    federation.strategy.restore(  # type: ignore[attr-defined]
        {name: torch.full_like(value, 3e38) for name, value in state.items()}
    )
    with pytest.raises(FddError, match="finite"):
        federation.round(2)
    for key, context in federation.contexts.items():
        kept, old = context.state["fdd-control-variate"], before[key]
        assert isinstance(kept, ArrayRecord)
        assert isinstance(old, ArrayRecord)
        assert {n: a.data for n, a in kept.items()} == {n: a.data for n, a in old.items()}
