"""The classes of a merged set in the shares that the schema names, or that clients claim."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch

from fdd_flower.device import wide
from fdd_flower.synthetic_set import SyntheticSet

LEAST = 1e-9  # of a count, where a merge rule has rows of a class that nobody claims


def under_prior(merged: SyntheticSet, prior: Sequence[float]) -> SyntheticSet:
    """Return the set with weights, of mean 1, whose sums by class are in the ratio of `prior`.

    Within a class they keep their ratios, which the merge rule gave them. A class without a row
    leaves its share to the others. A model that is trained on such a set says how likely a class
    is; with equal weights it would say how likely it is among classes of equal size.

    Parameters
    ----------
    prior
        Public shares of the classes, above 0; empty: the set as it is.
    """
    if not prior:
        return merged
    labels, weights = merged.labels, wide(merged.weights).clone()
    for label in labels.unique():
        rows = labels == label
        weights[rows] *= prior[int(label)] / weights[rows].sum()
    return replace(merged, weights=(weights / weights.mean()).float())


def claimed_counts(parts: Iterable[SyntheticSet]) -> tuple[float, ...]:
    """Return how many records of each class the rows of `parts` stand for, (k,), above 0.

    So their weights say, which clients claim; of a class that is withheld nobody claims any.
    """
    each = [
        torch.bincount(part.labels, weights=wide(part.weights), minlength=part.num_classes)
        for part in parts
    ]
    return tuple(torch.stack(each).sum(dim=0).clamp_min(LEAST).tolist())
