"""From what a model sees back to cells, and to a table that a person can read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from fdd_flower.data.tables.numbers import FIRST_DAY, LAST_DAY
from fdd_flower.schema import OTHER, Column, Schema

if TYPE_CHECKING:
    import pandas as pd


def cells_back(inputs: Tensor, schema: Schema) -> np.ndarray:
    """Return the cells of model inputs, as `cells_of` has those of a file.

    float64, (n, columns that are read): a number within its range, of an integer and a date whole,
    the place of a level (that of another word only where it is more likely than not), NaN where a
    missing cell is more likely than not.

    Parameters
    ----------
    inputs
        float32, (n, number of features), normalised.
    """
    scale = schema.normalisation
    units = inputs.reshape(len(inputs), -1).double().numpy() * scale.std + scale.mean
    found, at = [], 0
    for column in schema.columns:
        width = len(column.features)
        if width:
            found.append(_cells(units[:, at : at + width], column))
        at += width
    return np.stack(found, axis=1)


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

    cells = cells_back(inputs, schema)
    read = [column for column in schema.columns if column.features]
    return pd.DataFrame({c.name: _column(cells[:, at], c) for at, c in enumerate(read)})


def _cells(parts: np.ndarray, column: Column) -> np.ndarray:
    if column.kind == "category":
        shares, other = parts.copy(), len(column.levels)
        shares[:, other] = np.where(shares[:, other] > 0.5, shares[:, other], -np.inf)
        places = shares.argmax(axis=1).astype(np.float64)
        return np.where(places > other, np.nan, places)
    low = -np.inf if column.low is None else column.low
    high = np.inf if column.high is None else column.high
    values = np.clip(parts[:, 0], low, high)
    if column.levels:
        values = np.clip(np.rint(values), 0, len(column.levels) - 1)
    elif column.kind == "date":
        values = np.rint(values)
    elif column.kind == "integer":
        values = np.clip(np.rint(values), np.ceil(low), np.floor(high))
    elif column.decimals is not None:
        values = np.clip(np.round(values, column.decimals), low, high)
    missing = parts[:, -1] > 0.5 if column.gaps else np.zeros(len(parts), dtype=bool)
    return np.where(missing, np.nan, values)


def _column(cells: np.ndarray, column: Column) -> pd.Series:
    import pandas as pd

    missing = np.isnan(cells)
    filled = np.where(missing, 0.0, cells)
    if column.levels:
        names = np.array([*column.levels, OTHER], dtype=object)
        return pd.Series(names[filled.astype(int)], dtype=object).where(~missing, None)
    if column.kind == "date":
        whole = np.clip(filled, FIRST_DAY, LAST_DAY).astype("datetime64[D]")
        return pd.Series(np.datetime_as_string(whole), dtype=object).where(~missing, None)
    if column.kind == "integer":
        return pd.Series(filled).astype("Int64").where(~missing, pd.NA)
    # digits that a model cannot tell apart are noise to a reader
    digits = 6 - math.floor(math.log10(column.scale))
    return pd.Series(np.round(cells, digits) + 0.0)  # of -0.0 it makes 0.0
