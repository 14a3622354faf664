"""Which records fit what a federation agreed on: the others are left out, each by itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from fdd_flower.data.base import Source
from fdd_flower.data.large import rows_where

MOST_REASONS, LONGEST = 3, 60


def fitting(source: Source, classes: Collection[str]) -> tuple[Source, str]:
    """Return `source` with the training records that fit, and one line about the others, or "".

    A refusal would be an answer without noise about the one record that does not fit. So a reader
    keeps what it cannot read as a class that nobody knows, a value that is not finite (in a
    table's cells: infinite) or a subject below 0, and it is left out here, whatever the others are.

    Parameters
    ----------
    classes
        The federation's.
    """
    records = source.train
    known = np.array([name in classes for name in source.classes], dtype=bool)
    strange = ~known[records.labels]
    broken = rows_where(np.isinf if source.in_cells else _not_finite, records.inputs)
    nobody = np.zeros(len(records), dtype=bool)
    if records.subjects is not None:
        nobody = records.subjects < 0
    out = strange | broken | nobody
    if not out.any():
        return source, ""
    reasons = []
    for at in np.flatnonzero(out)[:MOST_REASONS]:
        reason = "a value that cannot be read"
        if strange[at]:
            reason = f"class {source.classes[records.labels[at]][:LONGEST]!r}"
        elif nobody[at]:
            reason = "no subject"
        elif source.in_cells:
            column = source.columns[int(np.flatnonzero(np.isinf(records.inputs[at]))[0])]
            reason = f"column {column.name!r}"
        reasons.append(f"{reason} in record {at + 1}")
    said = f"{out.sum():,} of {len(out):,} records do not fit and are left out: "
    more = "; ..." if out.sum() > MOST_REASONS else ""
    return (
        replace(source, train=records.take(np.flatnonzero(~out))),
        said + "; ".join(reasons) + more,
    )


def _not_finite(values: np.ndarray) -> np.ndarray:
    return ~np.isfinite(values)
