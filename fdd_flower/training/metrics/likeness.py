"""How like real records the rows of a table are: column by column, and in pairs of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fdd_flower.schema import OTHER, Column
from fdd_flower.training.metrics.associations import associations

MOST_COLUMNS = 40  # that are kept for pictures
MOST_RECORDS = 5_000  # that pairs of columns are compared on
MOST_BINS, FEWEST_BINS = 16, 5
TAIL = 0.02  # of the records on each side, which one bin may hold together


@dataclass(frozen=True, slots=True, kw_only=True)
class Marginal:
    """What a column holds: real records and synthetic rows, in the same bins.

    Attributes
    ----------
    edges
        Of the bins of a number (of a date in days), ascending; what lies beyond is in the first
        and last bin. Empty of words.
    words
        Of a category, yes/no or ordinal column: one a bin. Empty of a number.
    real, synthetic
        Shares, one a bin, and the share of missing cells after them; they sum to 1.
    distance
        See `distance`.
    """

    name: str
    kind: str
    unit: str = ""
    edges: tuple[float, ...] = ()
    words: tuple[str, ...] = ()
    real: tuple[float, ...]
    synthetic: tuple[float, ...]
    distance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How real records and the rows of a synthetic set compare.

    Attributes
    ----------
    marginals
        Of the label, and of the other columns in their order: of more than `MOST_COLUMNS` those
        that differ most.
    real, synthetic
        The `associations` of these columns, (k, k), NaN where there is none.
    columns
        How many there are, with the label.
    records
        How many real ones.
    """

    marginals: tuple[Marginal, ...]
    real: tuple[tuple[float, ...], ...]
    synthetic: tuple[tuple[float, ...], ...]
    columns: int
    records: int


def likeness(
    real: np.ndarray, synthetic: np.ndarray, weights: np.ndarray, columns: Sequence[Column]
) -> tuple[Likeness, dict[str, dict[str, float]]]:
    """Return the comparison, and by the name of each column `distance` and `same_classes`.

    The latter is the distance that is left when each class of rows weighs as it does among the
    real records: a merge rule may weigh classes alike.

    Parameters
    ----------
    real
        Cells of real records, float64 (n, k), as `cells_of` returns them.
    synthetic
        Cells of the rows, float64 (m, k).
    weights
        (m,), how many records each row stands for.
    columns
        The k columns, the label first.
    """
    again = _as_in(real[:, 0], synthetic[:, 0], weights)
    each = [
        {
            "distance": distance(real[:, at], synthetic[:, at], weights, column),
            "same_classes": distance(real[:, at], synthetic[:, at], again, column),
        }
        for at, column in enumerate(columns)
    ]
    furthest = sorted(range(1, len(columns)), key=lambda at: -each[at]["distance"])
    kept = [0, *sorted(furthest[: MOST_COLUMNS - 1])]
    chosen = [columns[at] for at in kept]
    some = np.linspace(0, len(real) - 1, min(len(real), MOST_RECORDS)).astype(int)
    records = real[some][:, kept]
    found = Likeness(
        marginals=tuple(
            _marginal(real[:, at], synthetic[:, at], weights, columns[at], each[at]["distance"])
            for at in kept
        ),
        real=_rows(associations(records, chosen, np.ones(len(records)))),
        synthetic=_rows(associations(synthetic[:, kept], chosen, weights)),
        columns=len(columns),
        records=len(real),
    )
    return found, {column.name: own for column, own in zip(columns, each, strict=True)}


def _as_in(real: np.ndarray, synthetic: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the rows' weights with the shares that classes have among real records."""
    sums = {label: weights[synthetic == label].sum() for label in np.unique(synthetic)}
    found = weights.copy()
    for label, own in sums.items():
        found[synthetic == label] *= (real == label).sum() / own
    return found if found.any() else weights


def distance(real: np.ndarray, synthetic: np.ndarray, weights: np.ndarray, column: Column) -> float:
    """Return how far apart a column's marginals are, from 0 to 1.

    Of numbers and dates the Kolmogorov-Smirnov distance, the largest difference of the shares
    below any value; of words total variation, half the sum of the differences of their shares. A
    missing cell counts as a value above all others, and as a word. These are the complements of
    the column scores of the library SDMetrics, which leaves missing cells out.
    """
    values, place = np.unique(np.concatenate([real, synthetic]), return_inverse=True)
    shares = [
        np.bincount(at, weights=own, minlength=len(values)) / own.sum()
        for at, own in (
            (place[: len(real)], np.ones(len(real))),
            (place[len(real) :], weights),
        )
    ]
    apart = shares[0] - shares[1]
    if column.levels:
        return float(np.abs(apart).sum() / 2)
    return float(np.abs(np.cumsum(apart)).max())


def _marginal(
    real: np.ndarray, synthetic: np.ndarray, weights: np.ndarray, column: Column, apart: float
) -> Marginal:
    both = ((real, np.ones(len(real))), (synthetic, weights))
    if column.levels:
        words = (*column.levels, OTHER) if column.kind == "category" else column.levels
        bins, edges = len(words), np.empty(0)
    else:
        edges = _edges(real, synthetic, whole=column.kind != "number")
        bins, words = len(edges) - 1, ()

    def shares(values: np.ndarray, own: np.ndarray) -> tuple[float, ...]:
        missing = np.isnan(values)
        places = np.where(missing, bins, values)
        if not column.levels:
            at = np.searchsorted(edges, values, side="right") - 1
            places = np.where(missing, bins, np.clip(at, 0, bins - 1))
        counts = np.bincount(places.astype(int), weights=own, minlength=bins + 1)
        return tuple((counts / own.sum()).tolist())

    return Marginal(
        name=column.name,
        kind=column.kind,
        unit=column.unit,
        edges=tuple(edges.tolist()),
        words=words,
        real=shares(*both[0]),
        synthetic=shares(*both[1]),
        distance=apart,
    )


def _edges(real: np.ndarray, synthetic: np.ndarray, *, whole: bool) -> np.ndarray:
    """Return the edges of bins: of equal width, over the range that all but a few lie in."""
    held = real[~np.isnan(real)]
    if not len(held):
        held = synthetic[~np.isnan(synthetic)]
    if not len(held):
        return np.array([-0.5, 0.5])
    low, high = np.quantile(held, (TAIL, 1 - TAIL))
    room = (high - low) / 4
    # a tail that is longer goes into one bin: else all others would be one
    low = held.min() if low - held.min() <= room else low
    high = held.max() if held.max() - high <= room else high
    if whole:
        wide = max(1, int(np.ceil((high - low + 1) / MOST_BINS)))
        return np.arange(np.floor(low) - 0.5, np.ceil(high) + wide, wide)
    if low == high:
        return np.array([low - 0.5, high + 0.5])
    found = len(np.histogram_bin_edges(held, "auto", range=(low, high))) - 1
    return np.linspace(low, high, min(max(found, FEWEST_BINS), MOST_BINS) + 1)


def _rows(matrix: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())
