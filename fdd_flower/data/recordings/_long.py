"""A long table: a row a moment, with columns of recording, time and channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fdd_flower.config import DataConfig
from fdd_flower.data.alone.cells import ALONE
from fdd_flower.data.base import refuse, shown
from fdd_flower.data.recordings._values import Found, Read, read_values, with_missing
from fdd_flower.data.recordings.marks import clear_marks
from fdd_flower.data.recordings.times import one_rate, stretches, times_of
from fdd_flower.data.tables.files import COMMA
from fdd_flower.data.tables.numbers import words

if TYPE_CHECKING:
    import pandas as pd

RARE = 0.5  # share of the rows: a channel with fewer values was taken at another rate


def read_long(what: str, frame: pd.DataFrame, cfg: DataConfig, channels: list[str]) -> Read:
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
    values = np.stack([read_values(what, frame, name) for name in channels])
    # whether a value is far from all others is for the others to say
    marks = [] if alone else clear_marks(values, channels)
    names, of = np.unique(words(frame[cfg.recording]).to_numpy(dtype=str), return_inverse=True)
    order = np.lexsort((times, of))
    parts = np.split(order, np.flatnonzero(np.diff(of[order])) + 1) if len(order) else []
    if not alone:
        _check_filled(what, values, channels)
    cut, usual = [], {}
    for name, rows in zip(names.tolist(), parts, strict=True):
        stretch, usual[name] = stretches(what, name, times[rows], column.iloc[rows])
        cut.append(stretch)
    apart = one_rate(what, usual) * unit

    def found() -> Found:
        for name, rows, stretch in zip(names.tolist(), parts, cut, strict=True):
            own = values[:, rows]
            yield name, rows, own, with_missing(what, name, own, stretch, channels)

    return tuple(channels), float(f"{1 / apart:.9g}") if apart > 0 else 0.0, marks, found()


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
