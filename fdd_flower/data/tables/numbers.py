"""Cells as numbers, dates and words, however they are written."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from fdd_flower.data.base import refuse

Series = Any  # of pandas, whose types do not know what its methods return
_POINT = r"[+-]?\d{1,3}([,' \xa0\u202f]\d{3})+(\.\d+)?"  # 1,234.5
_COMMA = r"[+-]?\d{1,3}([.' \xa0\u202f]\d{3})+(,\d+)?"  # 1.234,5
_AFFIX = r"^([+-]?)[€$£]\s*(?=[\d.,+-])|(?<=\d)\s*[%€$£]$"
LOSS = r"^\((\s*[€$£]?\s*\d[\d.,' \xa0\u202f]*[%€$£]?\s*)\)$"  # an accountant's negative number
# Day before month, and month before day: where both fit all cells, the file does not say which.
_DATES = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d"),
    *("%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y"),
)
FIRST_DAY, LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31, in days since 1970-01-01
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(\D.*)?")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f")


def is_text(values: Series) -> bool:
    """Tell whether cells are words and not numbers or times."""
    from pandas.api.types import is_object_dtype, is_string_dtype

    return is_object_dtype(values) or is_string_dtype(values) or values.dtype == "category"


def words(values: Series) -> Series:
    """Return cells as text without blanks around; None where one is missing.

    A whole number has no decimals, whatever pandas made of it: "1" is 1.0 beside a gap.
    """
    import pandas as pd

    def word(value: object) -> str | None:
        if isinstance(value, str):
            return value.strip() or None
        if value is None or pd.isna(value):  # pyright: ignore[reportArgumentType, reportGeneralTypeIssues]
            return None
        if isinstance(value, float | np.floating) and float(value).is_integer():
            return str(int(value))
        return str(value)

    # each different cell once
    codes, different = pd.factorize(values.astype(object))
    made = np.array([*(word(value) for value in different), None], dtype=object)
    return pd.Series(made[codes], index=values.index, name=values.name, dtype=object)


def numbers(values: Series, *, comma: bool = False) -> np.ndarray | None:
    """Return cells as float64 (n,), NaN where one is missing; None if one is no number.

    Understood are thousands ("1,234.5", "1 234"), a percent sign and a currency around a number,
    one in parentheses as below zero, and, with `comma`, a decimal comma.
    """
    import pandas as pd

    if not is_text(values):
        if pd.api.types.is_numeric_dtype(values):  # booleans too
            return values.to_numpy(dtype=np.float64, na_value=np.nan)
        return None
    text = words(values)
    held = text.notna().to_numpy()
    cells = text[held].astype(str).str.replace(LOSS, r"-\1", regex=True)
    cells = cells.str.replace(_AFFIX, r"\1", regex=True)
    grouped = cells.str.fullmatch(_COMMA if comma else _POINT)
    if comma and not cells.str.contains(",").any() and not grouped.all():
        grouped[:] = False  # 0.5 and 1.234: no thousands
        comma = False
    marks = r"[.' \xa0\u202f]" if comma else r"[,' \xa0\u202f]"
    cells = cells.where(~grouped, cells.str.replace(marks, "", regex=True))
    if comma:
        cells = cells.str.replace(",", ".", regex=False)
    made = np.asarray(pd.to_numeric(cells, errors="coerce"), dtype=np.float64)
    wrong = np.isnan(made) & (cells.str.casefold() != "nan").to_numpy()
    if wrong.any():
        return None
    found = np.full(len(values), np.nan)
    found[held] = made
    return found


def days(what: str, values: Series, *, relative: bool = False) -> np.ndarray | None:
    """Return dates as days since 1970-01-01, float64 (n,), NaN where missing; None: not dates.

    Parameters
    ----------
    what
        The column, for an error.
    relative
        Count from the first one: dates of one day say it, whichever of day and month comes first.

    Raises
    ------
    DataError
        If day and month could be either way around in all cells.
    """
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(values):
        return _in_days(values, relative)
    if not is_text(values):
        return None
    text = words(values)
    held = text.dropna()
    if not len(held) or not held.str.contains(r"\d").all():
        return None
    if held.str.match(r"\d{4}-\d{1,2}-\d{1,2}").all():
        made = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True)
        if made.isna().sum() == text.isna().sum():
            return _in_days(made, relative)
        # pandas before 3 ends in 2262
        found = np.array([np.nan if cell is None else day(cell) for cell in text], dtype=float)
        broken = np.isnan(found) & text.notna().to_numpy()
        return None if broken.any() else found - (np.nanmin(found) if relative else 0)
    fits = []
    for form in [day + time for day in _DATES for time in _TIMES]:
        if pd.isna(pd.to_datetime(held.iloc[0], format=form, errors="coerce")):
            continue
        made = pd.to_datetime(text, format=form, errors="coerce")
        if made.isna().sum() == text.isna().sum():
            fits.append(_in_days(made, relative))
    if not fits:
        return None
    if not all(np.array_equal(fits[0], other, equal_nan=True) for other in fits[1:]):
        raise refuse(
            what,
            expected="dates that say which is the day and which the month",
            got=repr(str(held.iloc[0])),
            remedy="Write dates as 2024-12-31.",
        )
    return fits[0]


def day(cell: str) -> float | None:
    """Return a date as ISO 8601 writes it, in days since 1970-01-01; None: it is none.

    >>> day("1970-01-02 12:00"), day("9999-12-31"), day("2.1.1970")
    (1.5, 2932896.0, None)
    """
    match = _ISO.fullmatch(cell.strip())
    if match is None:
        return None
    year, month, of_month, time = match.groups(default="")
    try:
        moment = datetime.fromisoformat(f"{year}-{month:0>2}-{of_month:0>2}{time}")
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(days=1)
    except (ValueError, OverflowError):
        return None


def _in_days(values: Series, relative: bool) -> np.ndarray:
    import pandas as pd

    plain = pd.to_datetime(values, utc=True).dt.tz_localize(None)
    # in microseconds, which reach to year 9999: an open end is often written as 9999-12-31
    moments = plain.to_numpy().astype("datetime64[us]")
    start = np.nanmin(moments) if relative else np.datetime64(0, "us")
    return (moments - start) / np.timedelta64(1, "D")
