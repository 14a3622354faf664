"""How well a synthetic table keeps the columns of its records, and how they go together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd

from fdd_flower.schema import Column

TENTHS = np.linspace(0, 1, 11)[1:-1]
NUMBERS = ("number", "integer", "date")
MISSING = ("missing",)  # what stands for a gap in the four tables
VARIES = 0.01  # least standard deviation of a feature whose correlations count: 1 record in 10,000


def kept(
    records: pd.DataFrame,
    rows: pd.DataFrame,
    columns: Sequence[Column],
    *,
    label: str = "label",
    weight: str = "weight",
) -> dict[str, float]:
    """Return how far `rows` are from `records`: a mean over the classes that have rows.

    `words` and `numbers` are total variation distances from 0 to 1, a mean over columns: half the
    sum of what the shares of a column's words differ by, or of the tenths of the records that its
    numbers fall into. A gap is a word, and a number of its own. `correlations` is the mean
    difference of Pearson's coefficients over pairs of features from different columns: a number,
    its median where it is missing, or 1 where a word is there and 0 elsewhere.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for name, own in rows.groupby(label):
        real = records[records[label] == name]
        weights = (own[weight] / own[weight].sum()).to_numpy()
        features, owners = [], []
        for place, column in enumerate(columns):
            if column.kind in NUMBERS:
                pair = [_numbers(part[column.name]) for part in (real, own)]
                middle = float(np.nanmedian(pair[0]))
                features.append(np.nan_to_num(np.concatenate(pair), nan=middle))
                owners.append(place)
                edges = np.unique(np.nanquantile(pair[0], TENTHS))
                pair = [np.where(np.isnan(x), -1, np.digitize(x, edges)) for x in pair]
            else:
                pair = [_words(part[column.name], column.missing) for part in (real, own)]
                words = np.unique(np.concatenate(pair))
                features += [(np.concatenate(pair) == word).astype(float) for word in words]
                owners += [place] * len(words)
            kind = "numbers" if column.kind in NUMBERS else "words"
            found[kind].append(_total_variation(pair[0], pair[1], weights))
        found["correlations"].append(_correlations(np.stack(features), np.array(owners), weights))
    return {name: float(np.mean(values)) for name, values in found.items()}


def _total_variation(real: np.ndarray, own: np.ndarray, weights: np.ndarray) -> float:
    each = np.unique(np.concatenate([real, own]))
    return sum(abs(np.mean(real == value) - weights[own == value].sum()) for value in each) / 2


def _correlations(features: np.ndarray, owners: np.ndarray, weights: np.ndarray) -> float:
    """Return the mean difference; the last columns of `features` (d, n) are the rows."""
    first = features.shape[1] - len(weights)
    varies = features[:, :first].std(axis=1) > VARIES
    features, owners = features[varies], owners[varies]
    real = _coefficients(features[:, :first], np.full(first, 1 / first))
    own = _coefficients(features[:, first:], weights)
    return float(np.abs(real - own)[owners[:, None] != owners].mean())


def _coefficients(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return coefficients (d, d); 0 with a feature that does not vary."""
    centred = features - (features @ weights)[:, None]
    covariance = (centred * weights) @ centred.T
    spread = np.sqrt(covariance.diagonal())
    scale = np.outer(spread, spread)
    return np.divide(covariance, scale, out=np.zeros_like(scale), where=scale > 1e-12)


def _numbers(cells: pd.Series) -> np.ndarray:
    return pd.to_numeric(cells, errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def _words(cells: pd.Series, missing: Sequence[str]) -> np.ndarray:
    """Return cells as text: 1, 1.0 and "1" are one word, and a gap is the empty one.

    So is a cell that says that it is missing.
    """
    gaps = {*missing, *MISSING}
    made = []
    for cell in cells.astype(object):
        if pd.isna(cell):
            made.append("")
        elif isinstance(cell, float) and cell.is_integer():
            made.append(str(int(cell)))
        else:
            made.append("" if str(cell).strip() in gaps else str(cell))
    return np.array(made)
