"""A wide table: a row a recording, with a column for each sample of each channel."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from fdd_flower.config import DataConfig
from fdd_flower.data.alone.cells import ALONE
from fdd_flower.data.base import refuse, shown
from fdd_flower.data.recordings._values import Found, Read, read_values, with_missing
from fdd_flower.data.recordings.marks import clear_marks
from fdd_flower.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

NUMBERED = re.compile(r"(.*?)_?(\d+)")  # a wide column: channel and sample


def sample_of(column: str) -> tuple[str, int]:
    """Return the channel and the sample that a wide table's column holds; no channel: neither."""
    match = NUMBERED.fullmatch(column)
    return ("", 0) if match is None else (match[1] or "value", int(match[2]))


def read_wide(what: str, frame: pd.DataFrame, cfg: DataConfig, columns: list[str]) -> Read:
    samples: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for column in columns:
        channel, number = sample_of(column)
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
            np.stack(
                [read_values(what, frame, name) for _, name in sorted(samples[channel])], axis=1
            )
            for channel in channels
        ],
        axis=1,
    )  # (recordings, channels, samples)
    by_channel = np.ascontiguousarray(table.swapaxes(0, 1))
    far = by_channel.reshape(len(channels), -1)
    alone = bool(frame.attrs.get(ALONE))
    marks = [] if alone else clear_marks(far, channels)
    table = by_channel.swapaxes(0, 1)
    own = frame[cfg.recording] if cfg.recording in frame.columns else range(1, len(frame) + 1)

    def rows() -> Found:
        for row, name in enumerate(map(str, own)):
            # shorter ones are filled up with nothing at the end
            held = np.flatnonzero(~np.isnan(table[row]).all(axis=0))
            values = table[row][:, : held[-1] + 1 if len(held) else 0]
            stretch = np.zeros(values.shape[1], dtype=np.int64)
            try:
                stretch = with_missing(what, name, values, stretch, channels)
            except DataError:
                if alone:
                    continue
                raise
            yield name, np.array([row]), values, stretch

    return channels, 0.0, marks, rows()
