"""Weighted: all rows, each with the weight that its client claims, within bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from fdd_flower.mergers._claims import ages, clamped
from fdd_flower.mergers.base import MERGERS, MergeRule
from fdd_flower.synthetic_set import SyntheticSet, concatenate


@MERGERS.register("weighted")
class Weighted(MergeRule):
    """Concatenates, and holds each row's claim to within 10 times its class's median claim.

    Classes keep the shares that clients claim for them, where `class-balanced` makes them equal:
    for records of which some classes are rarer, and are to stay so. A client that holds most rows
    of a class can still claim too much for all of them.
    """

    def merge(self, parts: Sequence[SyntheticSet], *, rng: torch.Generator) -> SyntheticSet:
        """Return the rows of `parts` in order, under weights of mean 1; see `Merger.merge`.

        Raises
        ------
        WireError
            If there is no part, or their feature shapes or class counts differ.
        """
        whole = concatenate(parts)
        weights = clamped(whole.weights, whole.labels, ages(parts, whole.origin))
        return replace(whole, weights=(weights / weights.mean()).float())
