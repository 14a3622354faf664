"""Mean logits a class, and their distances, against numpy, scipy and loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy, wasserstein_distance
from torch import nn

from fdd_flower.rng import stream
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.class_logits import (
    BOUND,
    ClassLogits,
    KnowledgeMatching,
    average,
    class_logits,
    sliced_wasserstein,
    symmetric_kl,
    unit_directions,
)


class Plain(nn.Module):
    """Logits that are the inputs."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def rows_of(labels: list[int], classes: int, *, seed: int = 0) -> SyntheticSet:
    inputs = torch.randn(len(labels), classes, generator=stream(seed, "rows"))
    return SyntheticSet(
        inputs=inputs,
        targets=torch.eye(classes)[labels],
        weights=torch.rand(len(labels), generator=stream(seed, "weights")) + 0.1,
    )


def test_class_logits_are_the_means_of_a_loop_and_small_classes_stay_out():
    inputs = torch.randn(200, 4, generator=stream(0, "x"))
    labels = torch.tensor([0] * 120 + [1] * 73 + [3] * 7)
    found = class_logits(Plain(), inputs, labels, num_classes=4, least=8)
    assert found.held.tolist() == [True, True, False, False]
    for c in range(4):
        want = inputs[labels == c].numpy().mean(axis=0) if c < 2 else np.zeros(4)
        np.testing.assert_allclose(found.values[c].numpy(), want, atol=1e-6)
    exactly = class_logits(Plain(), inputs, labels, num_classes=4, least=7)
    assert exactly.held.tolist() == [True, True, False, True]


def test_class_logits_stay_within_the_bound():
    inputs = torch.full((8, 2), 1e6)
    found = class_logits(Plain(), inputs, torch.zeros(8).long(), num_classes=2, least=8)
    assert float(found.values.abs().max()) == BOUND


def test_the_average_is_over_those_that_know_a_class():
    generator = np.random.default_rng(0)
    values = generator.normal(size=(5, 3, 3)).astype(np.float32)
    held = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0]], dtype=bool)
    values *= held[:, :, None]
    parts = [
        ClassLogits(torch.from_numpy(v), torch.from_numpy(h))
        for v, h in zip(values, held, strict=True)
    ]
    found = average(parts)
    assert found.held.tolist() == [True, True, False]
    for c in range(2):
        want = values[held[:, c], c].mean(axis=0)
        np.testing.assert_allclose(found.values[c].numpy(), want, atol=1e-6)
    assert not found.values[2].any()


@pytest.mark.parametrize(("points", "dimensions"), [(1, 10), (7, 3), (40, 5)])
def test_sliced_wasserstein_is_scipys_on_each_direction(points, dimensions):
    a, b = torch.randn(2, points, dimensions, generator=stream(points, "clouds"))
    directions = unit_directions(dimensions, 20, rng=stream(1, "directions"))
    np.testing.assert_allclose(directions.norm(dim=0).numpy(), 1, atol=1e-6)
    want = np.mean([wasserstein_distance((a @ d).numpy(), (b @ d).numpy()) for d in directions.T])
    assert float(sliced_wasserstein(a, b, directions)) == pytest.approx(want, rel=1e-5)


def test_of_two_points_it_is_their_distance_times_a_constant_of_the_dimension():
    # E |<u, v>| over the unit sphere of 3 dimensions is |v| / 2
    a, b = torch.zeros(1, 3), torch.tensor([[1.0, -2.0, 2.0]])
    directions = unit_directions(3, 200_000, rng=stream(0, "directions"))
    assert float(sliced_wasserstein(a, b, directions)) == pytest.approx(3 / 2, rel=5e-3)


def test_symmetric_kl_is_that_of_scipy():
    found, wanted = 5 * torch.randn(2, 6, 10, generator=stream(0, "logits"))
    p, q = (softmax(x.double().numpy() / 2, axis=1) for x in (found, wanted))
    want = (entropy(p, q, axis=1) + entropy(q, p, axis=1)).mean() / 2
    assert float(symmetric_kl(found, wanted, temperature=2)) == pytest.approx(want, rel=1e-5)
    assert float(symmetric_kl(found, found, temperature=2)) == 0


def test_knowledge_matching_is_a_loop_over_classes_that_both_sides_know():
    rows = rows_of([0, 0, 0, 1, 3, 3], 4)
    rows = SyntheticSet(
        inputs=rows.inputs.index_copy(0, torch.tensor([1, 2, 5]), rows.inputs[[0, 0, 4]]),
        targets=rows.targets,
        weights=rows.weights,
    )
    wanted = ClassLogits(
        torch.randn(4, 4, generator=stream(3, "wanted")), torch.tensor([True, False, True, True])
    )
    term = KnowledgeMatching(
        rows, wanted, weight=0.8, temperature=2, batch=32, rng=stream(0, "draws")
    )
    # all rows of a class are alike, so that any draw has their mean
    total = 0.0
    for c, row in ((0, 0), (3, 4)):
        p, q = (softmax(x.double().numpy() / 2) for x in (rows.inputs[row], wanted.values[c]))
        total += (entropy(p, q) + entropy(q, p)) / 2
    assert float(term(Plain())) == pytest.approx(0.8 * total / 2, rel=1e-4)


def test_knowledge_matching_without_a_common_class_is_nothing():
    wanted = ClassLogits(torch.ones(4, 4), torch.tensor([False, False, False, True]))
    term = KnowledgeMatching(
        rows_of([0, 1], 4), wanted, weight=1, temperature=2, batch=8, rng=stream(0)
    )
    assert float(term(Plain())) == 0


def test_its_draws_follow_the_weights_and_its_slope_reaches_the_model():
    rows = rows_of([0, 0], 2)
    rows = SyntheticSet(
        inputs=torch.tensor([[1.0, 0], [0, 1.0]]),
        targets=rows.targets,
        weights=torch.tensor([3.0, 1.0]),
    )
    seen = []

    class Watching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x[:, 0].mean())
            return self.scale * x

    wanted = ClassLogits(torch.tensor([[9.0, 0], [0, 0]]), torch.tensor([True, False]))
    model = Watching()
    term = KnowledgeMatching(rows, wanted, weight=1, temperature=2, batch=4000, rng=stream(0))
    term(model).backward()
    assert float(seen[0]) == pytest.approx(0.75, abs=0.03)
    assert model.scale.grad is not None
    assert float(model.scale.grad) < 0  # a larger logit of its own class is nearer
