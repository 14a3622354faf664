"""From cells to what a model sees, by the schema's public constants alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from fdd_flower.data.base import Records
from fdd_flower.data.tables.cells import cells_of
from fdd_flower.schema import Column, Schema

if TYPE_CHECKING:
    import pandas as pd

YEAR, WEEK = 365.2425, 7.0


def encoded(records: Records, columns: Sequence[Column]) -> Records:
    """Return records in cells as records in features, in units of the data."""
    return replace(records, inputs=features_of(records.inputs, columns))


def features_of(cells: np.ndarray, columns: Sequence[Column]) -> np.ndarray:
    """Return features in units of the data: float64, (n, number of features).

    A number within its range, its fill where it is missing; a level as 1 among 0s; a date as
    days and as its places in year and week; and a 1 where a cell is missing.

    Parameters
    ----------
    cells
        As `cells_of` returns them.
    """
    found = [part for at, column in enumerate(columns) for part in _parts(cells[:, at], column)]
    return np.stack(found, axis=1) if found else np.empty((len(cells), 0))


def _parts(values: np.ndarray, column: Column) -> list[np.ndarray]:
    if column.kind == "ignore":
        return []
    missing = np.isnan(values)
    gap = [missing.astype(np.float64)] if column.gaps else []
    if column.kind == "category":
        # without an indicator a gap is one more level that the schema does not know
        places = np.where(missing, np.nan if column.gaps else len(column.levels), values)
        return [(places == i).astype(np.float64) for i in range(len(column.levels) + 1)] + gap
    filled = np.where(missing, column.filled, values)
    filled = np.clip(
        filled,
        -np.inf if column.low is None else column.low,
        np.inf if column.high is None else column.high,
    )
    if column.kind != "date":
        return [filled, *gap]
    turns = 2 * np.pi * filled
    circles = [wave(turns / length) for length in (YEAR, WEEK) for wave in (np.sin, np.cos)]
    return [filled, *circles, *gap]


def table_inputs(where: str, frame: pd.DataFrame, schema: Schema) -> Tensor:
    """Return a table's rows as model inputs: float32, (n, number of features).

    Raises
    ------
    DataError
        If a column is absent, or a cell is not of its column's kind.
    """
    cells = cells_of(where, frame, schema.columns)
    return schema.normalisation.apply(features_of(cells, schema.columns))
