"""Class-balanced: all rows, under weights that the server sets and not the clients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from fdd_flower.config import MergerConfig
from fdd_flower.mergers.base import MERGERS
from fdd_flower.synthetic_set import SyntheticSet, concatenate

LIMIT = 10.0  # how far a row's weight may be from its class's median, as a factor


@MERGERS.register("class-balanced")
class ClassBalanced:
    """Concatenates, and gives every class that is present the same total weight.

    A weight is a count that a client claims and nobody can check. Between classes claims count
    for nothing; within a class they keep their ratios, but no row has more than 10 times, or
    less than a tenth of, the weight of its class's median row: a client that claims a billion
    records gets what ten ordinary rows get.
    """

    def __init__(self, cfg: MergerConfig) -> None:
        self.cfg = cfg

    def merge(self, parts: Sequence[SyntheticSet], *, rng: torch.Generator) -> SyntheticSet:
        """Return the rows of `parts` in order, under balanced weights; see `Merger.merge`.

        Raises
        ------
        WireError
            If there is no part, or their feature shapes or class counts differ.
        """
        whole = concatenate(parts)
        return replace(whole, weights=balanced_weights(whole.weights, whole.labels))


def balanced_weights(claimed: Tensor, labels: Tensor) -> Tensor:
    """Return weights of mean 1 that sum to the same number over the rows of each class.

    Parameters
    ----------
    claimed
        float32, (n,): positive.
    labels
        int64, (n,).

    Returns
    -------
    Tensor
        float32, (n,).
    """
    present = labels.unique()
    share = len(labels) / len(present)
    # In double precision even the largest float32 claims have a finite sum.
    weights = claimed.double()
    for label in present:
        rows = labels == label
        median = weights[rows].median()
        bounded = weights[rows].clamp(median / LIMIT, median * LIMIT)
        weights[rows] = share * bounded / bounded.sum()
    return weights.float()
