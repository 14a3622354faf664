"""Rows that lead a model along a path, against descent by hand."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from fdd_flower.config import ModelConfig
from fdd_flower.errors import FddError
from fdd_flower.methods import _trajectory
from fdd_flower.methods._trajectory import distance, rows_of_path, tune, unrolled
from fdd_flower.methods._virtual_data import noise_rows
from fdd_flower.models import build_model
from fdd_flower.models.base import Network
from fdd_flower.synthetic_set import SyntheticSet

SHAPE, CLASSES = (6,), 3


def model(seed: int = 0) -> Network:
    return build_model(
        ModelConfig(name="logistic"), feature_shape=SHAPE, num_classes=CLASSES, seed=seed
    )


def rows(each: int = 2, seed: int = 0) -> SyntheticSet:
    return noise_rows(SHAPE, CLASSES, each, rng=torch.Generator().manual_seed(seed))


def parameters(network: Network) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in network.named_parameters()}


def descent(start: dict[str, np.ndarray], part: SyntheticSet, rate: float, steps: int):
    """Take steps of softmax regression, as the textbook has them."""
    w, b = start["head.weight"].astype(float), start["head.bias"].astype(float)
    x, y = part.inputs.numpy().astype(float), part.targets.numpy().astype(float)
    for _ in range(steps):
        logits = x @ w.T + b
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        slope = (p - y) / len(x)
        w, b = w - rate * slope.T @ x, b - rate * slope.sum(axis=0)
    return {"head.weight": w, "head.bias": b}


def test_unrolled_is_gradient_descent() -> None:
    begin = parameters(model())
    found = unrolled(model(3), begin, rows().inputs, rows().targets, torch.tensor(0.3), steps=4)
    expected = descent({n: v.numpy() for n, v in begin.items()}, rows(), 0.3, 4)
    for name, value in found.items():
        np.testing.assert_allclose(value.detach().numpy(), expected[name], atol=1e-6)


def test_gradients_reach_rows_and_rate() -> None:
    part, begin, end = rows(), parameters(model()), parameters(model(1))
    network = model().double()
    begin, end = ({n: v.double() for n, v in one.items()} for one in (begin, end))

    def loss(inputs: torch.Tensor, rate: torch.Tensor) -> torch.Tensor:
        found = unrolled(network, begin, inputs, part.targets.double(), rate, steps=2)
        return distance(found, end, begin)

    inputs = part.inputs.double().requires_grad_(True)
    rate = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss, (inputs, rate))


def test_the_distance_is_1_where_nothing_moved_and_0_at_the_end() -> None:
    begin, end = parameters(model()), parameters(model(1))
    assert float(distance(begin, end, begin)) == pytest.approx(1)
    assert float(distance(end, end, begin)) == 0
    halfway = {name: (begin[name] + end[name]) / 2 for name in begin}
    assert float(distance(halfway, end, begin)) == pytest.approx(0.25)


def test_rows_learn_to_lead_along_a_path_that_others_made(monkeypatch) -> None:
    monkeypatch.setattr(_trajectory, "STEPS", 150)
    monkeypatch.setattr(_trajectory, "INNER_STEPS", 5)
    monkeypatch.setattr(_trajectory, "INNER_RATE", 0.1)
    hidden, path = rows(each=4, seed=9), [parameters(model())]
    for _ in range(3):
        step = unrolled(
            model(), path[-1], hidden.inputs, hidden.targets, torch.tensor(0.2), steps=10
        )
        path.append({name: value.detach() for name, value in step.items()})

    def off(part: SyntheticSet) -> float:
        """How far training on `part` is from the path, at the step size that suits it best."""
        best = []
        for rate in (0.05, 0.1, 0.2, 0.4, 0.8):
            found = [
                distance(
                    unrolled(model(), a, part.inputs, part.targets, torch.tensor(rate), steps=5),
                    b,
                    a,
                )
                for a, b in itertools.pairwise(path)
            ]
            best.append(float(torch.stack(found).mean()))
        return min(best)

    before = rows()
    after = rows_of_path(before, model(), path, rng=torch.Generator().manual_seed(0))
    assert torch.equal(after.targets, before.targets)
    assert off(after) < 0.15 < 0.5 * off(before)


def test_rows_before_stay_where_a_loss_is_no_number() -> None:
    path = [parameters(model()), {n: v * float("nan") for n, v in parameters(model()).items()}]
    found = rows_of_path(rows(), model(), path, rng=torch.Generator())
    assert torch.equal(found.inputs, rows().inputs)


def test_tuning_fits_the_rows_and_says_when_it_diverges(monkeypatch) -> None:
    monkeypatch.setattr(_trajectory, "TUNING_STEPS", 300)
    monkeypatch.setattr(_trajectory, "TUNING_RATE", 0.5)
    network = model()
    tune(network, rows(), rng=torch.Generator())
    assert torch.equal(network(rows().inputs).argmax(dim=1), rows().labels)
    far = replace(rows(), inputs=rows().inputs * 1e30)
    with pytest.raises(FddError, match="fine-tuning loss at step"):
        tune(model(), far, rng=torch.Generator())
