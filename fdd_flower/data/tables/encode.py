"""From cells to what a model sees, by the schema's public constants alone; and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from fdd_flower.data.base import Records
from fdd_flower.data.tables.cells import cells_of
from fdd_flower.schema import OTHER, Column, Schema

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


def frame_of(inputs: Tensor, schema: Schema) -> pd.DataFrame:
    """Return a table of model inputs: a column for each of the schema's, in the units of the data.

    Categories are among their levels ("(other)" only where that is more likely than not), integers
    whole, numbers within their range; a cell is missing where that is more likely than not.

    Parameters
    ----------
    inputs
        float32, (n, number of features), normalised.
    """
    import pandas as pd

    scale = schema.normalisation
    units = inputs.reshape(len(inputs), -1).double().numpy() * scale.std + scale.mean
    found, at = {}, 0
    for column in schema.columns:
        width = len(column.features)
        if width:
            found[column.name] = _column(units[:, at : at + width], column)
        at += width
    return pd.DataFrame(found)


def _column(parts: np.ndarray, column: Column) -> pd.Series:
    import pandas as pd

    if column.kind == "category":
        names = [*column.levels, OTHER, *([None] if column.gaps else [])]
        shares = parts.copy()
        at = len(column.levels)
        shares[:, at] = np.where(shares[:, at] > 0.5, shares[:, at], -np.inf)
        return pd.Series([names[place] for place in shares.argmax(axis=1)], dtype=object)
    values = np.clip(
        parts[:, 0],
        -np.inf if column.low is None else column.low,
        np.inf if column.high is None else column.high,
    )
    missing = parts[:, -1] > 0.5 if column.gaps else np.zeros(len(parts), dtype=bool)
    if column.levels:
        places = np.clip(np.rint(values), 0, len(column.levels) - 1).astype(int)
        made = pd.Series([column.levels[place] for place in places], dtype=object)
        return made.where(~missing, None)
    if column.kind == "date":
        dates = pd.Series(pd.Timestamp(0) + pd.to_timedelta(np.rint(values), unit="D"))
        return dates.dt.strftime("%Y-%m-%d").astype(object).where(~missing, None)
    if column.kind == "integer":
        whole = np.clip(
            np.rint(values),
            -np.inf if column.low is None else np.ceil(column.low),
            np.inf if column.high is None else np.floor(column.high),
        )
        return pd.Series(whole).astype("Int64").where(~missing, pd.NA)
    # digits that a model cannot tell apart are noise to a reader
    digits = 6 - math.floor(math.log10(column.scale))
    return pd.Series(np.where(missing, np.nan, np.round(values, digits)))
