"""Class-balanced: all rows, under weights that the server sets and not the clients."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from fdd_flower.mergers._claims import ages, rebalanced
from fdd_flower.mergers.base import MERGERS, MergeRule
from fdd_flower.synthetic_set import SyntheticSet, concatenate


@MERGERS.register("class-balanced")
class ClassBalanced(MergeRule):
    """Concatenates, and gives every class that is present the same total weight.

    A weight is a count that a client claims and nobody can check. Between classes claims count
    for nothing; within a class they keep their ratios, but no row has more than 10 times, or
    less than a tenth of, the weight of its class's median row: a client that claims a billion
    records gets what ten ordinary rows get.
    """

    def merge(self, parts: Sequence[SyntheticSet], *, rng: torch.Generator) -> SyntheticSet:
        """Return the rows of `parts` in order, under balanced weights; see `Merger.merge`.

        Raises
        ------
        WireError
            If there is no part, or their feature shapes or class counts differ.
        """
        whole = concatenate(parts)
        return rebalanced(whole, ages(parts, whole.origin))
