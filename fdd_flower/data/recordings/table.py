"""Recordings of sensors, from a table: long, a row a moment, or wide, a row a recording."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fdd_flower.config import DataConfig
from fdd_flower.data.alone.cells import ALONE, number, read_each
from fdd_flower.data.base import refuse, shown
from fdd_flower.data.columns import chosen_columns, require_names
from fdd_flower.data.recordings.marks import clear_marks
from fdd_flower.data.recordings.times import differ, one_rate, stretches, times_of
from fdd_flower.data.tables.files import COMMA, headless
from fdd_flower.data.tables.numbers import numbers, words

if TYPE_CHECKING:
    import pandas as pd

NUMBERED = re.compile(r"(.*?)_?(\d+)")  # a wide column: channel and sample
RARE = 0.5  # share of the rows: a channel with fewer values was taken at another rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What one sensor, or a few together, recorded.

    Attributes
    ----------
    values
        float32, (channels, samples); NaN where one is missing.
    labels
        Text, (samples,): the class at each moment; "" where there is none.
    stretch
        int64, (samples,): samples of one number follow each other without a gap; -1: none, a value
        is missing.
    times
        (samples,): as they are written in the file; None: there are none.
    beside
        What else the table says of it, by column: whose it is, for one.
    """

    name: str
    values: np.ndarray
    labels: np.ndarray
    stretch: np.ndarray
    times: np.ndarray | None
    beside: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a table holds.

    Attributes
    ----------
    channels
        Their names, in the order of the values.
    rate
        Samples a second; 0: not known.
    notes
        What a user should know of the reading, a line each.
    """

    channels: tuple[str, ...]
    rate: float
    recordings: list[Recording]
    notes: tuple[str, ...]


def from_table(
    what: str,
    frame: pd.DataFrame,
    cfg: DataConfig,
    beside: Sequence[str] = (),
    *,
    channels: Sequence[str] = (),
    labelled: bool = True,
) -> Recorded:
    """Return the recordings of a table, their channels sorted by name.

    A table with the column `cfg.time` is long; any other is wide, with the columns `CHANNEL_0`,
    `CHANNEL_1`, ... of each channel. Rows that are there twice count once.

    Parameters
    ----------
    what
        The table, for an error.
    beside
        Columns that say something of a whole recording and are no channels.
    channels
        The names of the channels, in order: all others are left out; none: `cfg.columns` chooses.
    labelled
        Whether the column `cfg.label` is read; without it each label is "-".

    Raises
    ------
    DataError
        If a column is missing, a value is no number, two rows are of one time, or rates or channels
        differ.
    """
    require_names(what, frame.columns)
    label = _labels(what, frame, cfg.label) if labelled else np.full(len(frame), "-")
    facts = [name for name in dict.fromkeys([cfg.recording, *beside]) if name in frame.columns]
    for column in facts:
        missing = np.flatnonzero(frame[column].isna())
        if len(missing):
            raise _missing(what, column, f"row {missing[0] + 1}, counted from 1 below the header")
    named = {cfg.label, cfg.time, *facts}
    long, notes = cfg.time in frame.columns, []
    if long:
        twice = frame.duplicated().to_numpy(dtype=bool)
        if twice.any():
            notes.append(f"duplicate rows count once: {twice.sum():,} left out")
            frame, label = frame.loc[~twice], label[~twice]
    used = _channels(what, frame, cfg.columns, named, channels, wide=not long)
    reader = _long if long else _wide
    names, rate, marks, found = reader(what, frame, cfg, used)
    if channels and names != tuple(channels):
        raise refuse(
            what,
            expected=f"the channels {shown(channels)}",
            got=shown(names),
            remedy="Name the columns as the run's data does.",
        )
    said = {fact: words(frame[fact]).to_numpy() for fact in facts}
    recordings = []
    for name, rows, values, stretch in found:
        one = label[rows]
        own = {fact: _of_all(what, of[rows], fact, name) for fact, of in said.items()}
        recordings.append(
            Recording(
                name=name,
                values=values,
                labels=np.full(values.shape[1], one[0]) if len(one) == 1 else one,
                stretch=stretch,
                times=frame[cfg.time].to_numpy()[rows] if long else None,
                beside=own,
            )
        )
    return Recorded(
        channels=names,
        rate=_rate(what, rate, cfg.rate),
        recordings=recordings,
        notes=(*notes, *marks, *_broken(recordings)),
    )


def _channels(
    what: str,
    frame: pd.DataFrame,
    columns: str,
    beside: set[str],
    channels: Sequence[str],
    *,
    wide: bool,
) -> list[str]:
    """Return the columns of values, sorted."""
    others = sorted(name for name in frame.columns if name not in beside)
    if not channels:
        return sorted(chosen_columns(what, columns, frame.columns, beside)) if columns else others
    if wide:
        return [name for name in others if _sample_of(name)[0] in channels]
    absent = [name for name in channels if name not in others]
    if absent:
        raise refuse(
            what,
            expected=f"the channels {shown(channels)}",
            got=f"a table without {shown(absent)}",
            remedy="Name the columns as the run's data does.",
        )
    return list(channels)


def _sample_of(column: str) -> tuple[str, int]:
    """Return the channel and the sample that a wide table's column holds; no channel: neither."""
    match = NUMBERED.fullmatch(column)
    return ("", 0) if match is None else (match[1] or "value", int(match[2]))


def _rate(what: str, found: float, asked: float) -> float:
    if asked and found and differ(asked, found):
        raise refuse(
            f"{what}: data.rate",
            expected=f"{found:g} samples a second, as the times say",
            got=f"{asked:g}",
            remedy="Correct it, or leave it at 0.",
        )
    return found or asked


def _broken(recordings: list[Recording]) -> Iterator[str]:
    """Yield how often time has gaps, and where values are missing."""
    gaps = [int(one.stretch.max(initial=0)) for one in recordings]
    if any(gaps):
        of = sum(count > 0 for count in gaps)
        yield f"{sum(gaps):,} gaps in time, in {of:,} recordings: no window reaches across one"
    missing = sum(int((one.stretch < 0).sum()) for one in recordings)
    if missing:
        yield f"{missing:,} samples lack a value: no window has one of them"


def _labels(what: str, frame: pd.DataFrame, label: str) -> np.ndarray:
    if label not in frame.columns:
        raise refuse(
            f"{what}: data.label",
            expected=f"one of the columns {shown(frame.columns)}",
            got=repr(label),
            remedy="Set data.label to the column that holds the class."
            if not headless(list(frame.columns))
            else "The first line looks like a record: write the columns' names above it.",
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


# name, rows, values (channels, samples), stretch (samples,)
Found = Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]
# channels, samples a second, notes, recordings
Read = tuple[tuple[str, ...], float, list[str], Found]


def _long(what: str, frame: pd.DataFrame, cfg: DataConfig, channels: list[str]) -> Read:
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
    comma, alone = (bool(frame.attrs.get(name)) for name in (COMMA, ALONE))
    times, unit = times_of(what, column, comma=comma, alone=alone)
    values = np.stack([_numbers(what, frame, name) for name in channels])
    # whether a value is far from all others is for the others to say
    marks = [] if alone else clear_marks(values, channels)
    names, of = np.unique(words(frame[cfg.recording]).to_numpy(dtype=str), return_inverse=True)
    order = np.lexsort((times, of))
    parts = np.split(order, np.flatnonzero(np.diff(of[order])) + 1)
    _check_filled(what, values, channels)
    cut, usual = [], {}
    for name, rows in zip(names.tolist(), parts, strict=True):
        stretch, usual[name] = stretches(what, name, times[rows], column.iloc[rows])
        cut.append(stretch)
    apart = one_rate(what, usual) * unit

    def found() -> Found:
        for name, rows, stretch in zip(names.tolist(), parts, cut, strict=True):
            own = values[:, rows]
            yield name, rows, own, _whole(what, name, own, stretch, channels)

    return tuple(channels), float(f"{1 / apart:.9g}") if apart > 0 else 0.0, marks, found()


def _wide(what: str, frame: pd.DataFrame, cfg: DataConfig, columns: list[str]) -> Read:
    samples: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for column in columns:
        channel, number = _sample_of(column)
        if not channel:
            raise refuse(
                f"{what}: data.time",
                expected="a column of time, with a row for each moment; or, with a row for each "
                "recording, columns such as x_0, x_1, ... for each channel",
                got=f"no column {cfg.time!r}, and a column {column!r}",
                remedy="Set data.time to the column of time, or rename or drop that column.",
            )
        samples[channel].append((number, column))
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
    by_channel = np.ascontiguousarray(table.swapaxes(0, 1))
    far = by_channel.reshape(len(channels), -1)
    marks = [] if frame.attrs.get(ALONE) else clear_marks(far, channels)
    table = by_channel.swapaxes(0, 1)
    own = frame[cfg.recording] if cfg.recording in frame.columns else range(1, len(frame) + 1)

    def rows() -> Found:
        for row, name in enumerate(map(str, own)):
            # shorter ones are filled up with nothing at the end
            held = np.flatnonzero(~np.isnan(table[row]).all(axis=0))
            values = table[row][:, : held[-1] + 1 if len(held) else 0]
            stretch = np.zeros(values.shape[1], dtype=np.int64)
            yield name, np.array([row]), values, _whole(what, name, values, stretch, channels)

    return channels, 0.0, marks, rows()


def _numbers(what: str, frame: pd.DataFrame, column: str) -> np.ndarray:
    """Return a column as float32 (n,); NaN where nothing is written."""
    values: Any = frame[column]
    if frame.attrs.get(ALONE):
        found = read_each(number, values)
    else:
        found = numbers(values, comma=bool(frame.attrs.get(COMMA)))
    if found is None:
        cells = words(values).dropna()
        plain = [cell for cell in cells if not cell.lstrip("+-")[:1].isdigit()] or [cells.iloc[0]]
        raise refuse(
            f"{what}: column {column!r}",
            expected="numbers",
            got=repr(plain[0]),
            remedy="Drop the column, or name it in data.recording, data.time, data.label, "
            "data.subject or partition.column.",
        )
    with np.errstate(over="ignore"):
        return found.astype(np.float32)


def _check_filled(what: str, values: np.ndarray, channels: Sequence[str]) -> None:
    """Refuse a channel that is empty in most rows."""
    held = (~np.isnan(values)).mean(axis=1)
    for name, share in zip(channels, held, strict=True):
        if share < RARE:
            raise refuse(
                f"{what}: column {name!r}",
                expected="a value in every row, but for a few",
                got=f"one in {share:.1%} of the rows",
                remedy="Resample all channels to one rate, or leave it out by data.columns.",
            )


def _whole(
    what: str, name: str, values: np.ndarray, stretch: np.ndarray, channels: Sequence[str]
) -> np.ndarray:
    """Return `stretch` with -1 where a value is missing."""
    if not values.shape[1]:
        raise _missing(what, "of values", f"recording {name!r}")
    infinite = np.argwhere(np.isinf(values))
    if len(infinite):
        channel, sample = infinite[0]
        where = f"sample {sample} of recording {name!r}, counted from 0"
        raise _missing(what, channels[int(channel)], where)
    absent = np.isnan(values)
    for channel in np.flatnonzero(absent.all(axis=1)):
        where = f"all of recording {name!r}: channels must be the same in all"
        raise _missing(what, channels[int(channel)], where)
    return np.where(absent.any(axis=0), -1, stretch)


def _missing(what: str, column: str, where: str) -> Exception:
    return refuse(
        f"{what}: column {column!r}",
        expected="a value, and of a channel a finite one in float32's range",
        got=f"none in {where}",
        remedy="Fill in what is missing, or leave such recordings out.",
    )
