"""How far the server trusts a client's claims of what its rows stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from fdd_flower.device import wide, widest
from fdd_flower.mergers.base import AgedSets
from fdd_flower.synthetic_set import SyntheticSet

LIMIT = 10.0  # how far a row's weight may be from its class's median, as a factor


def ages(parts: Sequence[SyntheticSet], origin: Tensor | None) -> Tensor:
    """Return what its age left of the weight of each row that came from `origin`: float64, (n,)."""
    assert origin is not None  # rows that a rule itself has joined
    kind, device = widest(origin.device), origin.device
    if not isinstance(parts, AgedSets):
        return torch.ones(len(origin), dtype=kind, device=device)
    return torch.tensor(parts.factors, dtype=kind, device=device)[origin]


def clamped(claimed: Tensor, labels: Tensor, units: Tensor | float = 1.0) -> Tensor:
    """Return claims, each within a factor of 10 of the median claim of its class.

    Parameters
    ----------
    claimed
        float32, (n,): positive.
    labels
        int64, (n,).
    units
        (n,), positive: what the server itself makes of a row, and no client claims. Claims are
        compared by the unit.

    Returns
    -------
    Tensor
        float64, (n,): in double precision even the largest float32 claims have a finite sum.
    """
    weights = wide(claimed) / units
    for label in labels.unique():
        rows = labels == label
        median = weights[rows].median()
        weights[rows] = weights[rows].clamp(median / LIMIT, median * LIMIT)
    return weights * units


def balanced(claimed: Tensor, labels: Tensor, units: Tensor | float = 1.0) -> Tensor:
    """Return clamped claims of mean 1 that sum to the same number over the rows of each class.

    float32, (n,); parameters as of `clamped`.
    """
    present = labels.unique()
    share = len(labels) / len(present)
    weights = clamped(claimed, labels, units)
    for label in present:
        rows = labels == label
        weights[rows] = share * weights[rows] / weights[rows].sum()
    return weights.float()


def rebalanced(whole: SyntheticSet, units: Tensor | float = 1.0) -> SyntheticSet:
    """Return a set under the balanced weights of its rows."""
    return replace(whole, weights=balanced(whole.weights, whole.labels, units))
