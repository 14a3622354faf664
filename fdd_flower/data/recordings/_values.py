"""The values of recordings: numbers as they are written, and where they are missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fdd_flower.data.alone.cells import ALONE, number, read_each
from fdd_flower.data.base import refuse
from fdd_flower.data.tables.files import COMMA
from fdd_flower.data.tables.numbers import day, numbers, words
from fdd_flower.wording import many

if TYPE_CHECKING:
    import pandas as pd

# name, rows, values (channels, samples), stretch (samples,)
Found = Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]
# channels, samples a second, notes, recordings
Read = tuple[tuple[str, ...], float, list[str], Found]


def read_values(what: str, frame: pd.DataFrame, column: str) -> np.ndarray:
    """Return a column as float32 (n,); NaN where nothing is written.

    Where cells are read each by itself it is NaN too where one is no finite number.
    """
    values: Any = frame[column]
    if frame.attrs.get(ALONE):
        with np.errstate(over="ignore"):
            each = read_each(number, values).astype(np.float32)
        return np.where(np.isinf(each), np.float32(np.nan), each)
    found = numbers(values, comma=bool(frame.attrs.get(COMMA)))
    if found is None:
        got, few = odd(values)
        raise refuse(
            f"{what}: column {column!r}",
            expected="numbers",
            got=got,
            remedy="Correct such cells, or leave them empty."
            if few
            else "Drop the column, or name it in data.recording, data.time, data.label, "
            "data.subject or partition.column.",
        )
    with np.errstate(over="ignore"):
        return found.astype(np.float32)


def odd(values: pd.Series) -> tuple[str, bool]:
    """Return the first cell that is no number, with how many there are; and whether few are.

    Where no cell is a number, the first that is no date as ISO 8601 writes it.
    """
    import pandas as pd

    cells: Any = words(values).dropna()
    figures: Any = pd.to_numeric(cells.str.replace(",", "."), errors="coerce")
    fits = figures.notna().to_numpy()
    if not fits.any():
        fits = np.array([day(cell) is not None for cell in cells])
    broken = cells[~fits]
    if not len(broken):
        return repr(cells.iloc[0]), False
    return f"{broken.iloc[0]!r} in {len(broken):,} of {many(len(cells), 'cell')}", bool(
        len(broken) < len(cells) / 2
    )


def with_missing(
    what: str, name: str, values: np.ndarray, stretch: np.ndarray, channels: Sequence[str]
) -> np.ndarray:
    """Return `stretch` with -1 where a value is missing."""
    if not values.shape[1]:
        raise missing_value(what, "of values", f"recording {name!r}")
    infinite = np.argwhere(np.isinf(values))
    if len(infinite):
        channel, sample = infinite[0]
        where = f"sample {sample} of recording {name!r}, counted from 0"
        raise missing_value(what, channels[int(channel)], where)
    absent = np.isnan(values)
    for channel in np.flatnonzero(absent.all(axis=1)):
        where = f"all of recording {name!r}: channels must be the same in all"
        raise missing_value(what, channels[int(channel)], where)
    return np.where(absent.any(axis=0), -1, stretch)


def missing_value(what: str, column: str, where: str) -> Exception:
    return refuse(
        f"{what}: column {column!r}",
        expected="a value, and of a channel a finite one in float32's range",
        got=f"none in {where}",
        remedy="Fill in what is missing, or leave such recordings out.",
    )
