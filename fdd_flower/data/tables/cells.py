"""A frame's cells as numbers, by the schema's columns; what breaks it is refused, by its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fdd_flower.data.alone.cells import ALONE, number, read_each
from fdd_flower.data.base import refuse, shown
from fdd_flower.data.tables.files import COMMA
from fdd_flower.data.tables.numbers import Series, day, days, is_text, words
from fdd_flower.data.tables.quantities import hours, quantities, quantity, without_unit
from fdd_flower.data.tables.text import is_number
from fdd_flower.errors import DataError
from fdd_flower.schema import Column
from fdd_flower.wording import many

if TYPE_CHECKING:
    import pandas as pd

YES = ("yes", "y", "true", "t", "1", "on", "present", "positive", "pos")
NO = ("no", "n", "false", "f", "0", "off", "absent", "negative", "neg")
LARGEST = float(np.finfo(np.float32).max)


def cells_of(where: str, frame: pd.DataFrame, columns: Sequence[Column]) -> np.ndarray:
    """Return the cells of the columns: float64, (n, number of columns).

    A number as it is, a date in days, of words their place in the column's `levels` (a category
    that is none of them: as many as there are), NaN where a cell is missing. If cells are read each
    by itself, what is not of its column's kind is infinite.

    Parameters
    ----------
    where
        The file, for an error.

    Raises
    ------
    DataError
        If a column is absent, or a cell is not of its column's kind; it names column, row and
        value.
    """
    absent = [column.name for column in columns if column.name not in frame.columns]
    if absent:
        raise refuse(
            where,
            expected=f"the {many(len(columns), 'column')} of the schema",
            got=f"a table without {shown(absent)}, of {shown(map(str, frame.columns))}",
            remedy="Name the columns as the schema does; their order does not count.",
        )
    comma = bool(frame.attrs.get(COMMA))
    found = [
        _each(frame[c.name], c)
        if frame.attrs.get(ALONE)
        else _cells(f"{where}: column {c.name!r}", frame[c.name], c, comma)
        for c in columns
    ]
    return np.stack(found, axis=1) if found else np.empty((len(frame), 0))


def gaps_of(values: Series, markers: Sequence[str], *, alone: bool = False) -> np.ndarray:
    """Return where a cell is missing, bool (n,): empty, or one of `markers`, as text or number.

    Parameters
    ----------
    alone
        Whether texts may be numbers, too: else a column of numbers is no text.
    """
    from pandas.api.types import is_numeric_dtype

    if not is_text(values):
        missing = values.isna().to_numpy()
        figures = [float(marker) for marker in markers if is_number(marker)]
        if not figures or not is_numeric_dtype(values):
            return missing
        return missing | np.isin(values.to_numpy(dtype=np.float64, na_value=np.nan), figures)
    text = words(values)
    asked = {marker.strip().casefold() for marker in markers}
    missing = np.asarray(text.isna() | text.str.casefold().isin(asked), dtype=bool)
    figures = {found for marker in markers if (found := number(marker)) is not None}
    if not (alone and figures):
        return missing
    # -9.0 is -9, as in a column that was read as numbers
    like = {word: number(word) in figures for word in text[~missing].unique()}
    return missing | text.map(like).eq(True).to_numpy(dtype=bool)


def _read(what: str, held: Series, kind: str, comma: bool) -> np.ndarray | None:
    """Return numbers or days as all cells together say they are written; None: they are none."""
    return days(what, held) if kind == "date" else quantities(held, comma=comma)


def _each(values: Series, column: Column) -> np.ndarray:
    """Return what each cell is by itself; infinite: nothing that the column may hold."""
    if column.kind == "ignore":
        return np.full(len(values), np.nan)
    missing = gaps_of(values, column.missing, alone=True)
    held = values[~missing]
    if column.kind in ("number", "integer"):
        made = read_each(quantity, without_unit(held, column.unit))
        made = np.where(np.abs(made) > LARGEST, np.inf, made)
    elif column.kind == "date":
        made = read_each(day, held)
    else:
        made = _places(words(held), column)
        made = np.where(np.isnan(made), np.inf, made)
    gap = np.nan if column.gaps or column.kind == "category" else np.inf
    found = np.full(len(values), gap)
    found[~missing] = made
    return found


def _cells(what: str, values: Series, column: Column, comma: bool) -> np.ndarray:
    if column.kind == "ignore":
        return np.full(len(values), np.nan)
    missing = gaps_of(values, column.missing)
    # of a category a gap is one more level that the schema does not know
    if missing.any() and not column.gaps and column.kind != "category":
        row = int(np.flatnonzero(missing)[0])
        raise refuse(
            what,
            expected="a value in every row: the schema has no gaps there",
            got=f"{values.iloc[row]} in row {row + 1}, counted from 1 below the header",
            remedy="Fill in or drop such rows; or set gaps = true for the column in the schema.",
        )
    held = values[~missing]
    if column.kind in ("number", "integer"):
        plain = without_unit(held, column.unit)
        made = _read(what, plain, column.kind, comma)
        if made is None:
            raise _broken(what, missing, held, _odd(what, plain, column.kind, comma), "numbers")
        beyond = ~np.isfinite(made) | (np.abs(made) > LARGEST)
        if beyond.any():
            raise _broken(what, missing, held, beyond, "finite numbers in float32's range")
    elif column.kind == "date":
        made = _read(what, held, column.kind, comma) if len(held) else np.empty(0)
        if made is None:
            broken = _odd(what, held, column.kind, comma)
            raise _broken(what, missing, held, broken, "dates, all written alike")
    else:
        made = _places(words(held), column)
        if np.isnan(made).any():
            expected = f"one of {', '.join(map(repr, column.levels[:20]))}"
            raise _broken(what, missing, held, np.isnan(made), expected)
    found = np.full(len(values), np.nan)
    found[~missing] = made
    return found


def _odd(what: str, held: Series, kind: str, comma: bool) -> np.ndarray:
    """Return which cells keep a column from being read: those that cannot be, or the fewer kind."""
    single = np.array([_read(what, held.iloc[[i]], kind, comma) is None for i in range(len(held))])
    if single.any():
        return single
    clock = np.array([hours(held.iloc[[i]]) is not None for i in range(len(held))])
    fewer = clock if clock.mean() <= 0.5 else ~clock
    return fewer if fewer.any() else np.ones(len(held), dtype=bool)


def _places(text: Series, column: Column) -> np.ndarray:
    """Return each word's place in the levels; else that of "other", or NaN where there is none."""
    known = {level: place for place, level in reversed([*enumerate(column.levels)])}
    folded = _unique({_folded(level): place for level, place in known.items()}, known)
    either = _either(column)
    other = float(len(column.levels)) if column.kind == "category" else np.nan

    def place(word: str) -> float:
        if word in known:
            return known[word]
        return folded.get(_folded(word), either.get(_folded(word), other))

    return text.map({word: place(word) for word in text.unique()}).to_numpy(dtype=np.float64)


def _either(column: Column) -> dict[str, int]:
    """Return the other words for yes and no, where the column's own are such words."""
    if column.kind != "yes/no":
        return {}
    no, yes = map(_folded, column.levels)
    return {w: int(w in YES) for w in NO + YES} if no in NO and yes in YES else {}


def _folded(word: str) -> str:
    """Return what is the same of words that differ by case, and of numbers, by how they end.

    >>> _folded("Yes"), _folded("1.0")
    ('yes', '1')
    """
    if is_number(word) and np.isfinite(float(word)):
        return f"{float(word):.17g}"
    return word.strip().casefold()


def _unique(folded: dict[str, int], known: dict[str, int]) -> dict[str, int]:
    """Return the folded spellings if no two levels share one: else case tells them apart."""
    return folded if len(folded) == len(known) else {}


def _broken(
    what: str,
    missing: np.ndarray,
    held: Series,
    broken: np.ndarray,
    expected: str,
) -> DataError:
    first = int(np.flatnonzero(broken)[0])
    row = int(np.flatnonzero(~missing)[first]) + 1
    more = f", and {int(broken.sum()) - 1} more" if broken.sum() > 1 else ""
    value = held.iloc[first]
    word = repr(value) if isinstance(value, str) else str(value)
    return refuse(
        what,
        expected=expected,
        got=f"{word[:60]} in row {row}, counted from 1 below the header{more}",
        remedy="Correct or drop such rows; what stands for a missing cell goes in the schema, as "
        "`missing`.",
    )
