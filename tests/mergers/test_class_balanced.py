"""Class-balanced weights, against a loop in plain Python, and against liars."""

import random
from collections import defaultdict
from statistics import median_low

import pytest
import torch

from fdd_flower.mergers._claims import balanced


def by_loop(claimed: list[float], labels: list[int]) -> list[float]:
    groups: dict[int, list[float]] = defaultdict(list)
    for weight, label in zip(claimed, labels, strict=True):
        groups[label].append(weight)
    result = []
    for weight, label in zip(claimed, labels, strict=True):
        middle = median_low(groups[label])
        bounded = [min(max(w, middle / 10), middle * 10) for w in groups[label]]
        own = min(max(weight, middle / 10), middle * 10)
        result.append(own / sum(bounded) * len(labels) / len(groups))
    return result


@pytest.mark.parametrize("seed", range(10))
def test_it_is_the_loop(seed: int) -> None:
    rng = random.Random(seed)
    labels = [rng.choice([0, 2, 3]) for _ in range(rng.randint(1, 40))]
    claimed = [10 ** rng.uniform(-1, 4) for _ in labels]
    weights = balanced(torch.tensor(claimed), torch.tensor(labels))
    torch.testing.assert_close(weights, torch.tensor(by_loop(claimed, labels)))


@pytest.mark.parametrize("seed", range(5))
def test_classes_weigh_the_same_and_the_mean_is_one(seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 6, (50,), generator=rng)
    weights = balanced(torch.rand(50, generator=rng) + 0.1, labels)
    totals = torch.stack([weights[labels == label].sum() for label in labels.unique()])
    torch.testing.assert_close(totals, totals[:1].expand_as(totals))
    torch.testing.assert_close(weights.mean(), torch.tensor(1.0))


def test_honest_ratios_within_a_class_are_kept() -> None:
    weights = balanced(torch.tensor([10.0, 20.0, 40.0, 7.0]), torch.tensor([0, 0, 0, 1]))
    torch.testing.assert_close(weights[:3] / weights[0], torch.tensor([1.0, 2.0, 4.0]))


@pytest.mark.parametrize("lie", [1e9, 3e38])
def test_a_lie_is_worth_ten_rows(lie: float) -> None:
    weights = balanced(torch.tensor([50.0] * 9 + [lie]), torch.zeros(10, dtype=torch.int64))
    torch.testing.assert_close(weights[-1] / weights[0], torch.tensor(10.0))


@pytest.mark.parametrize("lie", [1e-6, 1e-44])
def test_a_row_cannot_vanish(lie: float) -> None:
    weights = balanced(torch.tensor([50.0] * 9 + [lie]), torch.zeros(10, dtype=torch.int64))
    torch.testing.assert_close(weights[-1] / weights[0], torch.tensor(0.1))


def test_claims_do_not_move_weight_between_classes() -> None:
    labels = torch.tensor([0, 0, 1, 1])
    modest = balanced(torch.tensor([5.0, 5.0, 5.0, 5.0]), labels)
    boastful = balanced(torch.tensor([5.0, 5.0, 5e8, 5e8]), labels)
    assert torch.equal(modest, boastful)


def test_the_largest_claims_have_a_finite_sum() -> None:
    weights = balanced(torch.tensor([3e38, 3e38, 3e38]), torch.tensor([0, 0, 1]))
    torch.testing.assert_close(weights, torch.tensor([0.75, 0.75, 1.5]))
