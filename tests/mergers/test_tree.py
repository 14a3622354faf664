"""Rows bounded part by part: what is reduced together, how often, and what is held meanwhile."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import prod

import pytest
import torch

from fdd_flower.mergers import _tree
from fdd_flower.mergers._tree import Rows, bounded, fans
from fdd_flower.synthetic_set import LazySets, SyntheticSet

CLASSES, MOST = 3, 4


def part(place: int, counts: tuple[int, ...]) -> SyntheticSet:
    labels = torch.arange(CLASSES).repeat_interleave(torch.tensor(counts))
    return SyntheticSet(
        inputs=torch.full((len(labels), 2), float(place)),
        targets=torch.eye(CLASSES)[labels],
        weights=torch.ones(len(labels)),
    )


class First:
    """Keeps the first rows of each class; they then stand for all of it."""

    def __init__(self) -> None:
        self.calls: list[Rows] = []

    def __call__(self, rows: Rows) -> Rows:
        self.calls.append(rows)
        kept, stands = torch.zeros(len(rows.set), dtype=torch.bool), rows.stands.clone()
        for label in rows.set.labels.unique():
            own = (rows.set.labels == label).nonzero()[:, 0]
            kept[own[:MOST]] = True
            stands[own] = rows.stands[own].sum() / min(len(own), MOST)
        return replace(rows, stands=stands).only(kept)


@pytest.fixture(autouse=True)
def _small_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tree, "FOLD", 3)


@pytest.mark.parametrize("counts", [(1, 2, 3), (7, 0, 1), (50, 5, 1)])
@pytest.mark.parametrize("clients", [1, 4, 13, 40, 111])
def test_only_rows_that_stand_for_as_many_are_reduced_together(
    clients: int, counts: tuple[int, ...]
) -> None:
    reduce = First()
    found = bounded([part(place, counts) for place in range(clients)], MOST, reduce)
    for rows in reduce.calls:
        for label in rows.set.labels.unique():
            stands = rows.stands[rows.set.labels == label]
            assert len(stands) <= 3 * MOST
            # leaves differ by one row, which is shared by all that is left of one
            below = float(stands.max()) / (2 * MOST)
            assert float(stands.max() - stands.min()) <= max(1, below) / MOST + 1e-3
    labels = found.set.labels
    sums = [float(found.stands[labels == label].sum()) for label in range(CLASSES)]
    assert sums == pytest.approx([clients * number for number in counts], rel=1e-5)
    assert Counter(labels.tolist()) == Counter(
        {c: min(MOST, clients * n) for c, n in enumerate(counts) if n}
    )


def test_classes_that_fill_at_the_same_time_are_reduced_at_once() -> None:
    reduce = First()
    bounded([part(place, (2, 2, 2)) for place in range(24)], MOST, reduce)
    assert len(reduce.calls) == 4 + 2 + 1  # leaves, what they gave by two, the root


@pytest.mark.parametrize("clients", [10, 30, 300])
def test_memory_grows_with_levels_and_not_with_clients(
    clients: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels: list[_tree._Level] = []

    class Watched(_tree._Level):
        def __init__(self) -> None:
            super().__init__()
            levels.append(self)

    monkeypatch.setattr(_tree, "_Level", Watched)
    held: list[int] = []

    def made(place: int) -> SyntheticSet:
        held.append(sum(sum(level.counts.values()) for level in levels))
        return part(place, (2, 2, 2))

    makers = [lambda place=place: made(place) for place in range(clients)]
    bounded(LazySets(makers), MOST, First())
    assert max(held) <= len(levels) * CLASSES * (3 * MOST + 2)
    assert len(levels) == {10: 2, 30: 3, 300: 5}[clients]


@pytest.mark.parametrize("leaves", [2, 3, 4, 9, 10, 20, 28, 200, 1000])
@pytest.mark.parametrize("fold", [3, 20])
def test_a_tree_has_few_more_leaves_than_it_must(
    leaves: int, fold: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_tree, "FOLD", fold)
    found = fans(leaves)
    assert max(found) <= fold
    assert leaves <= prod(found) <= leaves * (1 + 2 / fold)
