"""Recordings of sensors, from a table: long, a row a moment, or wide, a row a recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fdd_flower.config import DataConfig
from fdd_flower.data.base import refuse, shown
from fdd_flower.data.columns import chosen_columns, require_names
from fdd_flower.data.recordings._long import read_long
from fdd_flower.data.recordings._values import missing_value
from fdd_flower.data.recordings._wide import read_wide, sample_of
from fdd_flower.data.recordings.recording import Recorded, Recording
from fdd_flower.data.recordings.times import differ
from fdd_flower.data.tables.files import headless
from fdd_flower.data.tables.numbers import words
from fdd_flower.wording import many

if TYPE_CHECKING:
    import pandas as pd


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
            raise missing_value(
                what, column, f"row {missing[0] + 1}, counted from 1 below the header"
            )
    named = {cfg.label, cfg.time, *facts}
    long, notes = cfg.time in frame.columns, []
    if long:
        twice = frame.duplicated().to_numpy(dtype=bool)
        if twice.any():
            notes.append(f"duplicate rows count once: {twice.sum():,} left out")
            frame, label = frame.loc[~twice], label[~twice]
    used = _channels(what, frame, cfg.columns, named, channels, wide=not long)
    reader = read_long if long else read_wide
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
        return [name for name in others if sample_of(name)[0] in channels]
    absent = [name for name in channels if name not in others]
    if absent:
        raise refuse(
            what,
            expected=f"the channels {shown(channels)}",
            got=f"a table without {shown(absent)}",
            remedy="Name the columns as the run's data does.",
        )
    return list(channels)


def _rate(what: str, found: float, asked: float) -> float:
    if asked and found and differ(asked, found):
        raise refuse(
            f"{what}: data.rate",
            expected=f"{many(found, 'sample')} a second, as the times say",
            got=f"{asked:g}",
            remedy="Correct it, or leave it at 0.",
        )
    return found or asked


def _broken(recordings: list[Recording]) -> Iterator[str]:
    """Yield how often time has gaps, and where values are missing."""
    gaps = [int(one.stretch.max(initial=0)) for one in recordings]
    if any(gaps):
        of = sum(count > 0 for count in gaps)
        found = f"{many(sum(gaps), 'gap')} in time, in {many(of, 'recording')}"
        yield f"{found}: no window reaches across one"
    missing = sum(int((one.stretch < 0).sum()) for one in recordings)
    if missing:
        yield f"{many(missing, 'sample')} without a value: no window has one of them"


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
