"""Numbers as tables have them: plain, as a limit of what was measured, or as a time of day."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from fdd_flower.data.alone.cells import number
from fdd_flower.data.tables.files import COMMA
from fdd_flower.data.tables.numbers import LOSS, Series, is_text, numbers, words
from fdd_flower.schema import Column

if TYPE_CHECKING:
    import pandas as pd

HOURS = "hours"
_LIMIT = r"^[<>≤≥]=?\s*(?=[\d.,])"  # <0.5, below what a laboratory can measure
_CLOCK = r"\d{1,4}:[0-5]\d(:[0-5]\d([.,]\d+)?)?"
_UNIT = re.compile(r"[<>≤≥]?=?\s*[+-]?\d[\d.,' \xa0\u202f]*?(\s*)([^\d\s.,'+:/-][^\d]*)")
_PAIR = r"\d+([.,]\d+)?\s*[/:x-]\s*\d+([.,]\d+)?"  # 120/80
_LEAST_PLAIN = 0.1  # share of a column with limits that is no limit; else "<5" is a word


def quantities(values: Series, *, comma: bool = False) -> np.ndarray | None:
    """Return cells as float64 (n,), NaN where one is missing; None if one is no number.

    Beside what `numbers` understands these are limits, "<0.5", as the number itself, and times
    of day and durations, "14:30", in hours.
    """
    found = numbers(values, comma=comma)
    if found is None:
        found = hours(values)
    return numbers(_without_limits(values), comma=comma) if found is None else found


def quantity(cell: str) -> float | None:
    """Return what `quantities` makes of a cell that can be read in one way only; else None.

    >>> quantity("<0.5"), quantity("14:30"), quantity("(2)"), quantity("1,5")
    (0.5, 14.5, -2.0, None)
    """
    if (plain := number(cell)) is not None:
        return plain
    if re.fullmatch(_CLOCK, cell.strip()):
        return sum(
            float(part.replace(",", ".")) / 60**at for at, part in enumerate(cell.split(":"))
        )
    loss = re.fullmatch(LOSS, cell.strip())
    plain = number(loss[1] if loss else re.sub(_LIMIT, "", cell.strip()))
    return -plain if loss and plain is not None else plain


def hours(values: Series) -> np.ndarray | None:
    """Return times of day or durations in hours, float64 (n,); None if one is anything else."""
    import pandas as pd

    if pd.api.types.is_timedelta64_dtype(values):
        return values.dt.total_seconds().to_numpy(dtype=np.float64, na_value=np.nan) / 3600
    if not is_text(values):
        return None
    text = words(values)
    held = text.dropna().astype(str)
    if not len(held) or not held.str.fullmatch(_CLOCK).all():
        return None
    parts = text.str.replace(",", ".").str.split(":", expand=True).astype(np.float64)
    return np.asarray(sum(parts[at].fillna(0) / 60**at for at in parts), dtype=np.float64) + (
        np.where(text.isna(), np.nan, 0.0)
    )


def unit_of(values: Series) -> str:
    """Return the unit that all cells end in, "36.6 °C"; empty where they do not, or have none.

    A letter right behind a number, "3a", is no unit.
    """
    if not is_text(values):
        return ""
    matched = [_UNIT.fullmatch(word) for word in words(values).dropna().unique()]
    if len(matched) < 3 or not all(matched):
        return ""
    found = {(bool(one[1]), one[2].strip()) for one in matched if one}
    (blank, unit), *others = sorted(found)
    return "" if others or (not blank and len(unit) == 1 and unit.isalpha()) else unit


def without_unit(values: Series, unit: str) -> Series:
    """Return cells without the unit at their ends, of text."""
    if not unit or not is_text(values):
        return values
    text = words(values)
    ends = rf"(?<=\d)\s*{re.escape(unit)}$"
    return text.where(text.isna(), text.astype(str).str.replace(ends, "", regex=True))


def are_pairs(values: Series) -> bool:
    """Tell whether cells hold two numbers each, as blood pressures do."""
    return bool(words(values).dropna().astype(str).str.fullmatch(_PAIR).all())


def limits(values: Series, *, comma: bool = False) -> int:
    """Return how many cells of a column of numbers are limits; 0 where it is a column of words."""
    if not is_text(values):
        return 0
    text = words(values).dropna().astype(str)
    limited = text.str.contains(_LIMIT, regex=True)
    plain = text[~limited]
    if not limited.any() or len(plain) < _LEAST_PLAIN * len(text) or plain.nunique() < 3:
        return 0
    return 0 if numbers(_without_limits(text), comma=comma) is None else int(limited.sum())


def limited(frame: pd.DataFrame, columns: Iterable[Column]) -> dict[str, int]:
    """Return how many limits each column of numbers holds, of those that hold any."""
    comma = bool(frame.attrs.get(COMMA))
    found = {
        column.name: limits(without_unit(frame[column.name], column.unit), comma=comma)
        for column in columns
        if column.kind in ("number", "integer")
    }
    return {name: count for name, count in found.items() if count}


def _without_limits(values: Series) -> Series:
    text = words(values)
    return text.where(text.isna(), text.astype(str).str.replace(_LIMIT, "", regex=True))
