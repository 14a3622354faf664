"""How the columns of a table go together: one matrix for numbers and categories."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np

from fdd_flower.schema import Column


def associations(cells: np.ndarray, columns: Sequence[Column], weights: np.ndarray) -> np.ndarray:
    """Return the association of each pair of columns: float64, (k, k), NaN where there is none.

    Of two numbers (dates, yes/no and ordinals are numbers too) it is Pearson's correlation, from
    -1 to 1; of a number and a category the correlation ratio, of two categories Cramér's V without
    a correction for small samples, both from 0 to 1. A missing word is a category of its own; a
    missing number leaves its record out of the pair. A column of one value has none.

    Parameters
    ----------
    cells
        float64, (n, k), as `cells_of` returns them.
    weights
        (n,), how much each row counts; positive.
    """
    every = [_indicators(cells[:, at], column) for at, column in enumerate(columns)]
    found = np.empty((len(columns), len(columns)))
    for i, j in combinations_with_replacement(range(len(columns)), 2):
        held = ~(np.isnan(every[i]).any(axis=1) | np.isnan(every[j]).any(axis=1))
        found[i, j] = found[j, i] = _pair(every[i][held], every[j][held], weights[held])
    return found


def _indicators(values: np.ndarray, column: Column) -> np.ndarray:
    """Return a number as it is, (n, 1), or 0 and 1 for each word that is there, (n, words)."""
    if column.kind != "category":
        return values[:, None]
    words = np.where(np.isnan(values), -1, values)
    return (words[:, None] == np.unique(words)).astype(np.float64)


def _pair(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> float:
    """Return the association of two columns by their indicators.

    Squared covariances of numbers over their variances, and of words over their shares, sum to
    r^2, to eta^2 and to chi^2 / n: one sum is all three.
    """
    if not len(weights):
        return math.nan
    weights = weights / weights.sum()
    x, y = _scaled(x, weights), _scaled(y, weights)
    cov = x.T @ (weights[:, None] * y)
    if cov.size == 1:
        return float(cov[0, 0])
    return math.sqrt(float((cov**2).sum()) / max(1, min(cov.shape) - 1))


def _scaled(part: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return what varies, centred: a number over its deviation, a word over the root of its share.

    NaN where nothing varies.
    """
    if part.shape[1] > 1:
        part = part[:, part.any(axis=0)]
    mean = weights @ part
    centred = part - mean
    spread = mean if part.shape[1] > 1 else weights @ centred**2
    flat = spread <= 1e-12 * np.maximum(1e-12, mean**2)
    return centred / np.sqrt(np.where(flat, np.nan, spread))
