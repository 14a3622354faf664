"""Gradient matching against a plain loop over layers and outputs."""

from __future__ import annotations

import dataclasses

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor, nn

from fdd_flower.config import DistillerConfig
from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.distillers.objectives import gradients
from fdd_flower.distillers.objectives.gradients import distance, gradient
from fdd_flower.distillers.parts.trained import build_embedder
from fdd_flower.models.base import Network
from tests.conftest import blobs, plan_for

CFG = DistillerConfig(name="dc", ipc=3, steps=40, networks=4, width=8, start="noise")


class _Tiny(Network):
    """Four inputs, five hidden units, three classes."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(4, 5), nn.Linear(5, 3)

    def features(self, x: Tensor) -> Tensor:
        return torch.tanh(self.body(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


def _slow_gradient(network: nn.Module, inputs: Tensor, label: int) -> list[Tensor]:
    """Return the mean over records of each one's own gradient."""
    each = []
    for record in inputs:
        loss = -network(record[None]).log_softmax(dim=1)[0, label]
        each.append(torch.autograd.grad(loss, list(network.parameters())))
    return [torch.stack(parts).mean(dim=0) for parts in zip(*each, strict=True)]


def test_the_distance_equals_a_loop_over_layers_and_outputs():
    torch.manual_seed(0)
    network = _Tiny()
    a, b = torch.randn(7, 4), torch.randn(2, 4)
    want = 0.0
    for x, y in zip(_slow_gradient(network, a, 1), _slow_gradient(network, b, 1), strict=True):
        if x.ndim == 2:  # biases are left out
            want += sum(
                1 - float(F.cosine_similarity(p, q, dim=0)) for p, q in zip(x, y, strict=True)
            )
    got = distance(gradient(network, a, 1), gradient(network, b, 1))
    assert float(got) == pytest.approx(want, abs=2e-3)


def test_kernels_are_compared_a_whole_output_channel_at_a_time():
    torch.manual_seed(0)
    a, b = torch.randn(2, 4, 3, 2, 2)
    want = sum(
        1 - float(F.cosine_similarity(a[c].flatten(), b[c].flatten(), dim=0)) for c in range(4)
    )
    assert float(distance([a], [b])) == pytest.approx(want, abs=1e-4)
    assert float(distance([a], [3 * a])) == pytest.approx(0, abs=1e-4)


def test_rows_are_differentiated_through_the_gradient():
    network = _Tiny().double()
    real = gradient(network, torch.randn(7, 4).double(), 2)
    rows = torch.randn(2, 4).double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: distance(real, gradient(network, x, 2, differentiable=True)), rows
    )


@pytest.mark.parametrize("name", ["dc", "dsa"])
@pytest.mark.parametrize("inner_steps", [0, 2])
def test_steps_bring_gradients_closer_on_networks_never_seen(name, inner_steps):
    data = blobs(counts=(80, 60))
    unseen = build_embedder(CFG, data.feature_shape, 2, seed=123)

    def gap(steps: int) -> float:
        cfg = dataclasses.replace(CFG, name=name, steps=steps, inner_steps=inner_steps)
        rng = torch.Generator().manual_seed(0)
        distiller = DISTILLERS.get(name)(cfg)
        rows = distiller.distill(data, plan=plan_for(data), start=None, rng=rng).synthetic
        return sum(
            float(
                distance(
                    gradient(unseen, data.inputs[data.labels == c], c),
                    gradient(unseen, rows.inputs[rows.labels == c], c),
                )
            )
            for c in (0, 1)
        )

    assert gap(40) < 0.9 * gap(1)


def test_without_training_between_matches_classes_separate():
    cfg = dataclasses.replace(CFG, inner_steps=0, steps=6, start="kmeans")
    rows = []
    for counts in ((60, 0, 0), (60, 40, 40)):
        data = blobs(counts=counts)
        rng = torch.Generator().manual_seed(0)
        part = DISTILLERS.get("dc")(cfg).distill(data, plan=plan_for(data), start=None, rng=rng)
        rows.append(part.synthetic.inputs[part.synthetic.labels == 0])
    torch.testing.assert_close(rows[0], rows[1], atol=1e-4, rtol=1e-4)


def test_training_between_matches_is_plain_descent_on_the_rows(monkeypatch):
    # One network, two steps: before the second match it took one step on the rows as they were.
    data = blobs(counts=(40, 40))
    used: list[list[Tensor]] = []
    rows: list[Tensor] = []

    def watch(network, inputs, label, *, differentiable=False):
        if differentiable:
            used.append([p.detach().clone() for p in network.parameters()])
            rows.append(inputs.detach().clone())
        return gradient(network, inputs, label, differentiable=differentiable)

    monkeypatch.setattr(gradients, "gradient", watch)
    monkeypatch.setattr(gradients, "HELD", 1)
    cfg = dataclasses.replace(CFG, steps=2, networks=1, inner_steps=1)
    rng = torch.Generator().manual_seed(0)
    DISTILLERS.get("dc")(cfg).distill(data, plan=plan_for(data), start=None, rng=rng)

    network = build_embedder(cfg, data.feature_shape, 2, seed=0)
    with torch.no_grad():
        for weight, value in zip(network.parameters(), used[0], strict=True):
            weight.copy_(value)
    sgd = torch.optim.SGD(network.parameters(), lr=gradients.LEARNING_RATE)
    labels = torch.tensor([0] * len(rows[2]) + [1] * len(rows[3]))
    F.cross_entropy(network(torch.cat(rows[2:])), labels).backward()
    sgd.step()
    for weight, value in zip(network.parameters(), used[2], strict=True):
        torch.testing.assert_close(weight.detach(), value, atol=1e-5, rtol=1e-4)
