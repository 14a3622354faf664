"""What a table or an archive of sensors holds: recordings, and what is true of all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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
