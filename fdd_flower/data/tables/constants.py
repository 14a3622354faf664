"""Public constants of a table's columns, from a sample: robust, so that no single cell counts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fdd_flower.data.fit import STD_FLOOR
from fdd_flower.data.tables.numbers import FIRST_DAY, LAST_DAY
from fdd_flower.schema import Column
from fdd_flower.wording import many

# Quartile distances from the median within which cells are taken for what they say. A normal
# column has one in 10^11 beyond it; skewed ones have their longest tail.
FENCE = 10
# Of the span, on each side: others' records may lie beyond the sample. Not where there are but a
# few whole numbers, which are most likely codes or grades.
MARGIN = 0.5
FEW = 10
MOST_WRITTEN = 6  # digits after the point


def with_constants(columns: Sequence[Column], cells: np.ndarray) -> tuple[Column, ...]:
    """Return the columns with range, centre, scale and fill, where they have none.

    The range is that of the cells within the fence, and a little more; centre and scale are mean
    and standard deviation of the cells brought into it, and the fill is their median. Numbers have
    as many decimals as they are written with.

    Parameters
    ----------
    cells
        float64, (n, number of columns), NaN where one is missing; the sample.
    """
    return tuple(_with_constants(column, cells[:, place]) for place, column in enumerate(columns))


def kinds_of(columns: Sequence[Column]) -> str:
    """Return how many columns there are of each kind, in words.

    >>> kinds_of([Column(name="a"), Column(name="b"), Column(name="c", kind="date")])
    '2 numbers, 1 date'
    """
    counts = Counter(column.kind for column in columns)
    return ", ".join(many(count, kind) for kind, count in counts.most_common())


def beyond_fence(values: np.ndarray) -> np.ndarray:
    """Return which cells lie implausibly far from the others, bool (n,)."""
    low, high = _fence(values)
    return (values < low) | (values > high)


def _with_constants(column: Column, values: np.ndarray) -> Column:
    held = values[~np.isnan(values)]
    if column.kind in ("category", "ignore") or not len(held):
        return column
    ranged = column.kind in ("number", "integer", "date")
    low, high = column.low, column.high
    if ranged and (low is None or high is None):
        found = _range(held, whole=column.kind != "number")
        if column.kind == "date":
            found = _in_calendar(*found)
        low, high = found[0] if low is None else low, found[1] if high is None else high
    inside = np.clip(held, -np.inf if low is None else low, np.inf if high is None else high)
    spread = float(inside.std())
    return replace(
        column,
        low=low,
        high=high,
        centre=float(inside.mean()),
        scale=spread if spread >= STD_FLOOR else 1.0,
        fill=(float(np.median(inside)) if ranged else float(np.round(np.median(inside))))
        if column.fill is None and column.gaps
        else column.fill,
        decimals=_decimals(held)
        if column.kind == "number" and column.decimals is None
        else column.decimals,
    )


def _decimals(held: np.ndarray) -> int | None:
    """Return how many digits after the point the cells have; None if more than a person writes."""
    for digits in range(MOST_WRITTEN + 1):
        scaled = held * 10.0**digits
        if (np.abs(scaled - np.rint(scaled)) <= 4 * np.spacing(np.abs(scaled))).all():
            return digits
    return None


def _range(held: np.ndarray, *, whole: bool) -> tuple[float | None, float | None]:
    kept = held[~beyond_fence(held)]
    least, most = float(kept.min()), float(kept.max())
    if least == most:
        return None, None  # one value alone says nothing of others
    few = whole and len(np.unique(kept)) <= FEW
    margin = 0.0 if few else MARGIN * (most - least)
    low, high = least - margin, most + margin
    if whole:
        low, high = round(low), round(high)
    if least >= 0:
        low = max(0.0, low)  # what is never negative in the sample is an amount
    if most <= 0:
        high = min(0.0, high)
    return float(low), float(high)


def _in_calendar(low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """Return a range of days that the calendar has."""
    return (
        None if low is None else max(low, FIRST_DAY),
        None if high is None else min(high, LAST_DAY),
    )


def _fence(values: np.ndarray) -> tuple[float, float]:
    held = values[~np.isnan(values)]
    if not len(held):
        return -math.inf, math.inf
    low, middle, high = np.quantile(held, (0.25, 0.5, 0.75))
    distance = high - low
    if distance == 0:
        # most cells are one value: how far the others lie from it is what is usual
        others = np.abs(held[held != middle] - middle)
        if not len(others):
            return -math.inf, math.inf
        distance = float(np.median(others))
    return float(middle - FENCE * distance), float(middle + FENCE * distance)
