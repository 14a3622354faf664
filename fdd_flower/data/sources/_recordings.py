"""Recordings of sensors, from a table: long, a row a moment, or wide, a row a recording."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fdd_flower.config import DataConfig
from fdd_flower.data.base import refuse, shown
from fdd_flower.data.tables.files import COMMA
from fdd_flower.data.tables.numbers import days, numbers, words

if TYPE_CHECKING:
    import pandas as pd

GAP = 1.5  # times the usual time between two samples: from here on one is missing
UNEVEN = 0.05  # relative difference of two recordings' rates, from which they are not the same
NUMBERED = re.compile(r"(.*?)_?(\d+)")  # a wide column: channel and sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What one sensor, or a few together, recorded without a break.

    Attributes
    ----------
    values
        float32, (channels, samples).
    labels
        Text, (samples,): the class at each moment; "" where there is none.
    beside
        What else the table says of it, by column: whose it is, for one.
    """

    name: str
    values: np.ndarray
    labels: np.ndarray
    beside: dict[str, object]


def from_table(
    what: str, frame: pd.DataFrame, cfg: DataConfig, beside: list[str]
) -> tuple[tuple[str, ...], list[Recording]]:
    """Return the channels of a table, sorted by name, and its recordings.

    A table with the column `cfg.time` is long; any other is wide, with the columns `CHANNEL_0`,
    `CHANNEL_1`, ... of each channel.

    Parameters
    ----------
    what
        The table, for an error.
    beside
        Columns that say something of a whole recording and are no channels.

    Raises
    ------
    DataError
        If a column is missing, a value is no finite number, a recording has gaps in time, or rates
        or channels differ.
    """
    label = _labels(what, frame, cfg.label)
    facts = [name for name in dict.fromkeys([cfg.recording, *beside]) if name in frame.columns]
    for column in facts:
        missing = np.flatnonzero(frame[column].isna())
        if len(missing):
            raise _missing(what, column, f"row {missing[0] + 1}, counted from 1 below the header")
    named = {cfg.label, cfg.time, *facts}
    others = sorted(name for name in frame.columns if name not in named)
    reader = _long if cfg.time in frame.columns else _wide
    channels, found = reader(what, frame, cfg, others)
    said = {fact: words(frame[fact]).to_numpy() for fact in facts}
    recordings = []
    for name, rows, values in found:
        one = label[rows]
        own = {fact: _of_all(what, of[rows], fact, name) for fact, of in said.items()}
        labels = np.full(values.shape[1], one[0]) if len(one) == 1 else one
        recordings.append(Recording(name=name, values=values, labels=labels, beside=own))
    return channels, recordings


def _labels(what: str, frame: pd.DataFrame, label: str) -> np.ndarray:
    if label not in frame.columns:
        raise refuse(
            f"{what}: data.label",
            expected=f"one of the columns {shown(frame.columns)}",
            got=repr(label),
            remedy="Set data.label to the column that holds the class.",
        )
    return words(frame[label]).fillna("").to_numpy(dtype=str)


def _of_all(what: str, values: np.ndarray, column: str, recording: str) -> object:
    first = values[0]
    other = values != first
    if other.any():
        raise refuse(
            f"{what}: column {column!r}",
            expected=f"one value in all of recording {recording!r}",
            got=f"{first!r} and {values[other][0]!r}",
            remedy="Give each its own recording.",
        )
    return first


Found = Iterator[tuple[str, np.ndarray, np.ndarray]]  # name, rows, values (channels, samples)


def _long(
    what: str, frame: pd.DataFrame, cfg: DataConfig, channels: list[str]
) -> tuple[tuple[str, ...], Found]:
    if cfg.recording not in frame.columns or not channels:
        raise refuse(
            f"{what}: data.recording",
            expected="a column that says which recording a row is of, and one or more of values, "
            f"among {shown(frame.columns)}",
            got=repr(cfg.recording),
            remedy="Set data.recording to it: two windows of one recording are never on both "
            "sides of the test split.",
        )
    column: pd.Series = frame[cfg.time]  # pyright: ignore[reportAssignmentType]
    times = _seconds(what, column, bool(frame.attrs.get(COMMA)))
    values = np.stack([_numbers(what, frame, name) for name in channels])
    names, of = np.unique(words(frame[cfg.recording]).to_numpy(dtype=str), return_inverse=True)
    order = np.lexsort((times, of))
    parts = np.split(order, np.flatnonzero(np.diff(of[order])) + 1)
    _check_rates(what, names, [times[rows] for rows in parts], column, parts)

    def found() -> Found:
        for name, rows in zip(names, parts, strict=True):
            own = values[:, rows]
            _check_values(what, str(name), own, channels)
            yield str(name), rows, own

    return tuple(channels), found()


def _wide(
    what: str, frame: pd.DataFrame, cfg: DataConfig, columns: list[str]
) -> tuple[tuple[str, ...], Found]:
    samples: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for column in columns:
        match = NUMBERED.fullmatch(column)
        if match is None:
            raise refuse(
                f"{what}: data.time",
                expected="a column of time, with a row for each moment; or, with a row for each "
                "recording, columns such as x_0, x_1, ... for each channel",
                got=f"no column {cfg.time!r}, and a column {column!r}",
                remedy="Set data.time to the column of time, or rename or drop that column.",
            )
        samples[match[1]].append((int(match[2]), column))
    channels = tuple(sorted(samples))
    if not channels:
        raise refuse(
            what,
            expected="columns of values",
            got=shown(frame.columns),
            remedy="Check how the file was written.",
        )
    first = [number for number, _ in sorted(samples[channels[0]])]
    for channel in channels:
        found = [number for number, _ in sorted(samples[channel])]
        whole = list(range(found[0], found[0] + len(found)))
        if found != first or found != whole:
            raise refuse(
                f"{what}: channel {channel!r}",
                expected=f"columns for the same moments as channel {channels[0]!r}, "
                f"{len(first)} in a row",
                got=f"{len(found)}, from {found[0]} to {found[-1]}",
                remedy="Give all channels the same number of samples.",
            )
    table = np.stack(
        [
            np.stack([_numbers(what, frame, name) for _, name in sorted(samples[channel])], axis=1)
            for channel in channels
        ],
        axis=1,
    )  # (recordings, channels, samples)
    own = frame[cfg.recording] if cfg.recording in frame.columns else range(1, len(frame) + 1)

    def rows() -> Found:
        for row, name in enumerate(map(str, own)):
            # shorter ones are filled up with nothing at the end
            held = np.flatnonzero(~np.isnan(table[row]).all(axis=0))
            values = table[row][:, : held[-1] + 1 if len(held) else 0]
            _check_values(what, name, values, list(channels))
            yield name, np.array([row]), values

    return channels, rows()


def _seconds(what: str, column: pd.Series, comma: bool) -> np.ndarray:
    """Return times as float64 (n,): seconds of dates, and numbers as they are."""
    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise _missing(
            what, str(column.name), f"row {missing[0] + 1}, counted from 1 below the header"
        )
    what = f"{what}: column {str(column.name)!r}"
    found = numbers(column, comma=comma)
    if found is not None:
        return found
    dates = days(what, column)
    if dates is None:
        raise refuse(
            what,
            expected="numbers or dates",
            got=repr(str(column.iloc[0])),
            remedy="Write times as numbers, or as dates such as 2024-05-01T12:00:00.",
        )
    return (dates - dates.min()) * 86_400


def _check_rates(
    what: str,
    names: np.ndarray,
    times: list[np.ndarray],
    written: pd.Series,
    rows: list[np.ndarray],
) -> None:
    usual: dict[str, float] = {}
    for name, own, places in zip(names, times, rows, strict=True):
        apart = np.diff(own)
        if not len(apart):
            continue
        middle = usual[str(name)] = float(np.median(apart))
        bad = np.flatnonzero((apart > GAP * middle) | (apart < middle / 2) | (apart <= 0))
        if len(bad):
            at = bad[0]
            before, after = written.iloc[places[at]], written.iloc[places[at + 1]]
            same = ", the same time" if own[at] == own[at + 1] else ""
            raise refuse(
                f"{what}: recording {str(name)!r}",
                expected=f"a sample every {middle:g}",
                got=f"{before} and then {after}{same}",
                remedy="Fill the gap in, give what follows it a recording of its own, or resample.",
            )
    slow, fast = max(usual, key=usual.__getitem__), min(usual, key=usual.__getitem__)
    if usual[slow] > usual[fast] * (1 + UNEVEN):
        raise refuse(
            f"{what}: rates",
            expected="the same time between samples in all recordings",
            got=f"{usual[fast]:g} in {fast!r} and {usual[slow]:g} in {slow!r}",
            remedy="Resample to one rate.",
        )


def _numbers(what: str, frame: pd.DataFrame, column: str) -> np.ndarray:
    """Return a column as float32 (n,); NaN where nothing is written."""
    values: Any = frame[column]
    found = numbers(values, comma=bool(frame.attrs.get(COMMA)))
    if found is None:
        plain = [cell for cell in words(values).dropna() if not cell.lstrip("+-")[:1].isdigit()]
        raise refuse(
            f"{what}: column {column!r}",
            expected="numbers",
            got=repr(plain[0]) if plain else str(values.dtype),
            remedy="Drop the column, or name it in data.recording, data.time, data.label, "
            "data.subject or partition.column.",
        )
    with np.errstate(over="ignore"):
        return found.astype(np.float32)


def _check_values(what: str, name: str, values: np.ndarray, channels: list[str]) -> None:
    bad = np.argwhere(~np.isfinite(values))
    if not len(bad) and values.shape[1]:
        return
    if not values.shape[1]:
        raise _missing(what, "of values", f"recording {name!r}")
    channel, sample = bad[0]
    where = f"sample {sample} of recording {name!r}, counted from 0"
    if not np.isfinite(values[channel]).any():
        where = f"all of recording {name!r}: channels must be the same in all"
    raise _missing(what, channels[channel], where)


def _missing(what: str, column: str, where: str) -> Exception:
    return refuse(
        f"{what}: column {column!r}",
        expected="a value in every row, and of a channel a finite one in float32's range",
        got=f"none in {where}",
        remedy="Fill in what is missing, or leave such recordings out.",
    )
