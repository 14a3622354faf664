"""How far a client's claims of what its rows stand for are believed."""

from __future__ import annotations

from torch import Tensor

LIMIT = 10.0  # how far a row's weight may be from its class's median, as a factor


def clamped(claimed: Tensor, labels: Tensor) -> Tensor:
    """Return claims, each within a factor of 10 of the median claim of its class.

    Parameters
    ----------
    claimed
        float32, (n,): positive.
    labels
        int64, (n,).

    Returns
    -------
    Tensor
        float64, (n,): in double precision even the largest float32 claims have a finite sum.
    """
    weights = claimed.double()
    for label in labels.unique():
        rows = labels == label
        median = weights[rows].median()
        weights[rows] = weights[rows].clamp(median / LIMIT, median * LIMIT)
    return weights


def balanced(claimed: Tensor, labels: Tensor) -> Tensor:
    """Return clamped claims of mean 1 that sum to the same number over the rows of each class.

    float32, (n,); parameters as of `clamped`.
    """
    present = labels.unique()
    share = len(labels) / len(present)
    weights = clamped(claimed, labels)
    for label in present:
        rows = labels == label
        weights[rows] = share * weights[rows] / weights[rows].sum()
    return weights.float()
