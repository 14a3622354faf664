"""When samples were taken: in seconds where that is known, at one rate, and where time has gaps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fdd_flower.data.alone.cells import number, read_each
from fdd_flower.data.base import Source, refuse, shown
from fdd_flower.data.recordings._values import odd
from fdd_flower.data.tables.numbers import day, days, is_text, numbers, words
from fdd_flower.wording import many

if TYPE_CHECKING:
    import pandas as pd

LONGER, SHORTER = 1.5, 0.5  # times the usual time between two samples: outside it is uneven
MOST = 0.1  # share of the times between samples that may be too long, or too short
UNEVEN = 0.05  # relative difference of two rates, from which they are not the same
DAY = 86_400  # seconds

# Seconds of a unit that a name ends in: `time_ms`, `t [s]`, `seconds`.
_UNITS = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "sec": 1, "min": 60, "h": 3600,
    "nanoseconds": 1e-9, "microseconds": 1e-6, "milliseconds": 1e-3, "millis": 1e-3,
    "seconds": 1, "secs": 1, "minutes": 60, "hours": 3600,
}  # fmt: skip
_ZONE = r"[T ]\d.*(?:Z|[+-]\d{2}(?::?\d{2})?)$"  # after a time of day
_LAST_WORD = re.compile(r"(?:^|[^a-zµ])([a-zµ]+)\W*$")
# What counts of an epoch, in the unit given, are from about 2001 to 2286.
_EPOCHS = {1.0: (1e9, 1e10), 1e-3: (1e12, 1e13), 1e-6: (1e15, 1e16), 1e-9: (1e18, 1e19)}


def times_of(
    what: str, column: pd.Series, *, comma: bool, alone: bool = False
) -> tuple[np.ndarray, float]:
    """Return times as float64 (n,), and the seconds of their unit, 0 where that is not known.

    Dates are in seconds from the first one, times of day from midnight. Numbers are in the unit
    that ends the column's name or, where it has none, in seconds, milli-, micro- or nanoseconds
    since 1970 if they can be that, and else in seconds if they have fractions. Of other whole
    numbers, which may count samples, nothing is known.

    Parameters
    ----------
    what
        The table, for an error.
    alone
        Whether each time is read by itself: dates then as ISO 8601 writes them, and from 1970.

    Raises
    ------
    DataError
        If one is missing, or they are neither numbers nor dates.
    """
    missing = np.flatnonzero(column.isna())
    what = f"{what}: column {str(column.name)!r}"
    if len(missing):
        raise refuse(
            what,
            expected="a time in every row",
            got=f"none in row {missing[0] + 1}, counted from 1 below the header",
            remedy="Fill it in, or leave such rows out.",
        )
    found = _known(read_each(number, column)) if alone else numbers(column, comma=comma)
    if found is not None:
        if not np.isfinite(found).all():
            at = int(np.flatnonzero(~np.isfinite(found))[0])
            got = f"{column.iloc[at]} in row {at + 1}, counted from 1 below the header"
            raise refuse(what, expected="finite times", got=got, remedy="Leave such rows out.")
        return found, _unit(str(column.name), found)
    clock = _of_day(column)
    if clock is not None:
        return clock, 1.0
    dates = _known(read_each(day, column)) if alone else days(what, column, relative=True)
    if dates is None:
        got, few = odd(column)
        raise refuse(
            what,
            expected="numbers or dates",
            got=got,
            remedy="Correct or leave out such rows, which may be units or a footer."
            if few
            else "Write times as numbers, or as dates such as 2024-05-01T12:00:00.",
        )
    if not alone and is_text(column):
        _check_zones(what, column)
    return dates * DAY, 1.0


def _check_zones(what: str, column: pd.Series) -> None:
    """Refuse dates of which some name a time zone: the others' would be a guess."""
    text = words(column)
    zoned = text.str.contains(_ZONE)
    if zoned.any() and not zoned.all():
        raise refuse(
            what,
            expected="a time zone in every row, or in none",
            got=f"{text[zoned].iloc[0]!r} and {text[~zoned].iloc[0]!r}",
            remedy="Write all times in one form, such as 2024-05-01T12:00:00Z.",
        )


def _known(times: np.ndarray) -> np.ndarray | None:
    return None if np.isinf(times).any() else times


def _of_day(column: pd.Series) -> np.ndarray | None:
    """Return times of day, 23:59:59.5, in seconds since midnight; None for anything else."""
    import pandas as pd

    text = words(column)
    if not text.str.fullmatch(r"\d{1,2}:\d{2}:\d{2}([.,]\d+)?").all():
        return None
    plain = pd.to_timedelta(text.str.replace(",", "."))
    return plain.dt.total_seconds().to_numpy(dtype=np.float64)


def _unit(name: str, times: np.ndarray) -> float:
    word = _LAST_WORD.search(name.casefold())
    if word is not None and word[1] in _UNITS:
        return float(_UNITS[word[1]])
    for unit, (least, most) in _EPOCHS.items():
        if len(times) and least <= times.min() and times.max() < most:
            return unit
    return 1.0 if (times % 1 != 0).any() else 0.0


def stretches(
    what: str, name: str, times: np.ndarray, written: pd.Series
) -> tuple[np.ndarray, float]:
    """Return which stretch without a gap each sample is of, int64 (n,), and the time between two.

    The time is nan for fewer than two samples.

    Parameters
    ----------
    times
        Of one recording, ascending.
    written
        The same as they are in the file, for an error.

    Raises
    ------
    DataError
        If two samples have one time, or more than a tenth of the times between two are uneven.
    """
    apart = np.diff(times)
    if not len(apart):
        return np.zeros(len(times), dtype=np.int64), np.nan
    usual = float(np.median(apart))
    long, short = apart > LONGER * usual, apart < SHORTER * usual
    for off, most, remedy in (
        (
            apart <= 0,
            0.0,
            "Drop one of two such rows, or name each recording in data.recording; where times are "
            "rounded, number the samples in a column of their own (data.time) and set data.rate.",
        ),
        (long, max(1, MOST * len(apart)), "Resample to even times, or record without loss."),
        (short, max(1, MOST * len(apart)), "Resample to even times."),
    ):
        if off.sum() > most:
            at = int(np.flatnonzero(off)[0])
            same = ", the same time" if times[at] == times[at + 1] else ""
            raise refuse(
                f"{what}: recording {name!r}",
                expected=f"a sample every {usual:g}" if usual else "times that differ",
                got=f"{written.iloc[at]} and then {written.iloc[at + 1]}{same}",
                remedy=remedy,
            )
    return np.concatenate([[0], np.cumsum(long)]), usual


def one_rate(what: str, usual: dict[str, float]) -> float:
    """Return the time between two samples, the same in all recordings; nan where none has two.

    Raises
    ------
    DataError
        If rates differ.
    """
    usual = {name: apart for name, apart in usual.items() if np.isfinite(apart)}
    if not usual:
        return np.nan
    slow, fast = max(usual, key=usual.__getitem__), min(usual, key=usual.__getitem__)
    if differ(usual[slow], usual[fast]):
        raise refuse(
            f"{what}: rates",
            expected="the same time between samples in all recordings",
            got=f"{usual[fast]:g} in {fast!r} and {usual[slow]:g} in {slow!r}",
            remedy="Resample to one rate.",
        )
    return float(np.median(list(usual.values())))


def differ(rate: float, other: float) -> bool:
    """Tell whether two rates, both above 0, are not the same."""
    return max(rate, other) > min(rate, other) * (1 + UNEVEN)


def check_series(path: str, own: Source, channels: Sequence[str], rate: float) -> None:
    """Check that a node's recordings are the federation's, as far as both know what they are.

    Raises
    ------
    DataError
        If channels or rates differ.
    """
    if own.channels != tuple(channels):
        raise refuse(
            f"{path}: channels",
            expected=f"{shown(channels)}, as on the server",
            got=shown(own.channels),
            remedy="Name the columns as the server's data does.",
        )
    check_rate(path, own.rate, rate)


def check_rate(path: str, own: float, rate: float) -> None:
    """Check that recordings have the rate of the server's or the run's, as far as both are known.

    Raises
    ------
    DataError
        If rates differ.
    """
    if rate and own and differ(rate, own):
        raise refuse(
            f"{path}: rate",
            expected=f"{many(rate, 'sample')} a second, as the other records have",
            got=f"{own:g}",
            remedy="Resample to that rate.",
        )
