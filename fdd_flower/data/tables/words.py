"""A column in words: what it may hold, and what rows of it do hold."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from fdd_flower.data.tables.numbers import FIRST_DAY, LAST_DAY, Series
from fdd_flower.schema import Column

MOST_LEVELS = 8  # that are named
MOST_SHARES = 3


def allowed(column: Column) -> str:
    """Return what a column may hold: its levels or its range.

    >>> allowed(Column(name="age", kind="integer", low=0, high=120, unit="years"))
    '0 to 120 years'
    """
    if column.levels:
        shown = ", ".join(column.levels[:MOST_LEVELS])
        more = len(column.levels) > MOST_LEVELS
        return f"{shown}, ... ({len(column.levels)})" if more else shown
    if column.low is None or column.high is None:
        return ""
    if column.kind == "date":
        ends = [
            date(1970, 1, 1) + timedelta(days=min(max(end, FIRST_DAY), LAST_DAY))
            for end in (column.low, column.high)
        ]
        return " to ".join(map(str, ends))
    return f"{column.low:g} to {column.high:g} {column.unit}".rstrip()


def held(column: Column, values: Series, weights: np.ndarray) -> str:
    """Return what rows hold, by their weights: a mean and its deviation, or the commonest words.

    Parameters
    ----------
    values
        (n,), the column of a decoded table.
    weights
        (n,), how much each row counts.
    """
    known = values.notna().to_numpy()
    if not known.any():
        return "nothing"
    gaps = float(weights[~known].sum() / weights.sum())
    about = f"; {gaps:.0%} missing" if gaps else ""
    own = weights[known]
    if column.kind in ("number", "integer"):
        numbers = values[known].to_numpy(dtype=np.float64)
        mean = np.average(numbers, weights=own)
        spread = np.sqrt(np.average((numbers - mean) ** 2, weights=own))
        return f"{mean:.4g} ± {spread:.3g}{about}"
    if column.kind == "date":
        return f"{values[known].min()} to {values[known].max()}{about}"
    shares: dict[str, float] = {}
    for word, weight in zip(values[known], own, strict=True):
        shares[word] = shares.get(word, 0.0) + weight / own.sum()
    common = sorted(shares, key=lambda word: (-shares[word], word))[:MOST_SHARES]
    return ", ".join(f"{word} {shares[word]:.0%}" for word in common) + about
