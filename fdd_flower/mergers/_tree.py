"""Rows of many clients reduced part by part, so that every received row counts the same.

A class with too many rows to hold is split into leaves of equal size. A full leaf is reduced to
as many rows as a class may have; these wait for those of other leaves, and so on upwards. All nodes
of a level have as many below them, so that only rows that stand for equally many are ever reduced
together. To know where to cut, the parts are read twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import inf, prod

import torch
from torch import Tensor

from fdd_flower.mergers._claims import ages
from fdd_flower.mergers._pick import joined, picked
from fdd_flower.synthetic_set import SyntheticSet, labels_of

FOLD = 20  # times the bound of a class that are reduced at once, at most; above 2


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that know their origin.

    Attributes
    ----------
    stands
        float32, (n,): how many of the rows that came each stands for, from 0.
    ages
        float64, (n,): what age left of the weight of each; see `AgedSets`.
    """

    set: SyntheticSet
    stands: Tensor
    ages: Tensor

    def only(self, kept: Tensor) -> Rows:
        """Return the rows that are `kept` (n, bool), in order."""
        return Rows(picked(self.set, kept), self.stands[kept], self.ages[kept])


def together(rows: Sequence[Rows]) -> Rows:
    """Join rows in order.

    Raises
    ------
    WireError
        If there are none, or their feature shapes or class counts differ.
    """
    return Rows(
        joined([one.set for one in rows]),
        torch.cat([one.stands for one in rows]),
        torch.cat([one.ages for one in rows]),
    )


def bounded(parts: Sequence[SyntheticSet], most: int, reduce: Callable[[Rows], Rows]) -> Rows:
    """Return what is left of `parts` when every class is reduced to at most `most` rows.

    In memory are about 20 times `most` rows of a class, and as many again for each level above the
    leaves: one where up to 400 times `most` rows of a class come, two up to 8,000 times.

    Parameters
    ----------
    reduce
        Returns `most` rows in place of those of each class that has more, and others as they are.

    Raises
    ------
    WireError
        If there is no part, or their feature shapes or class counts differ.
    """
    counts = Counter(label for labels in labels_of(parts) for label in labels.tolist())
    trees = {label: _Tree(n, most) for label, n in counts.items() if is_cut(n, most)}
    levels = [_Level() for _ in range(1 + max((len(t.fans) for t in trees.values()), default=0))]
    for place, part in enumerate(parts):
        origin = part.labels.new_full((len(part),), place, dtype=torch.int32)
        stands = torch.ones_like(part.weights)
        rows = Rows(replace(part, origin=origin), stands, ages(parts, origin))
        levels[0].add(rows)
        for height, (level, above) in enumerate(pairwise(levels)):
            while full := {
                label: int(tree.needs(height))
                for label, tree in trees.items()
                if level.counts[label] >= tree.needs(height)
            }:
                above.add(reduce(level.take(full)))
                if height == 0:
                    for label in full:
                        trees[label].leaves_done += 1
    return reduce(together([rows for level in levels for rows in level.held]))


def is_cut(count: float, most: int) -> bool:
    """Tell whether a class of `count` rows is split into leaves."""
    return count > FOLD * most


def fans(leaves: int) -> tuple[int, ...]:
    """Return how many nodes go into one, from the leaves upwards: at most 20 at each level.

    Their product is at least `leaves`, and little more.
    """
    if leaves <= FOLD:
        return (leaves,)
    above = fans(-(-leaves // FOLD))
    return (-(-leaves // prod(above)), *above)


@dataclass(slots=True)
class _Tree:
    """The tree of a class that has `count` rows in all."""

    count: int
    most: int
    fans: tuple[int, ...] = field(init=False)
    leaves_done: int = 0

    def __post_init__(self) -> None:
        self.fans = fans(-(-self.count // (FOLD * self.most)))

    def needs(self, height: int) -> float:
        """Return of how many rows the next node is made; infinity at the root, made in the end."""
        if height >= len(self.fans):
            return inf
        if height:
            return self.fans[height - 1] * self.most
        leaves, done = prod(self.fans), self.leaves_done
        if done == leaves:
            return inf
        return self.count * (done + 1) // leaves - self.count * done // leaves


class _Level:
    """Rows of all classes that wait, the oldest first."""

    def __init__(self) -> None:
        self.held: list[Rows] = []
        self.counts: Counter[int] = Counter()  # by class

    def add(self, rows: Rows) -> None:
        self.held.append(rows)
        self.counts.update(rows.set.labels.tolist())

    def take(self, wanted: Mapping[int, int]) -> Rows:
        """Remove and return the first so many rows of each class."""
        whole = together(self.held)
        taken = torch.zeros_like(whole.set.labels, dtype=torch.bool)
        for label, number in wanted.items():
            taken[(whole.set.labels == label).nonzero()[:number, 0]] = True
        self.held = [] if taken.all() else [whole.only(~taken)]
        self.counts.subtract(wanted)
        return whole.only(taken)
