"""Values that stand for a missing one, such as -9999, or that no sensor meant."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fdd_flower.wording import many

FAR = 10.0  # times the span of all other values
VARIED = 20  # different values that a channel must have: codes and switches have no such span


def clear_marks(values: np.ndarray, channels: Sequence[str]) -> list[str]:
    """Write NaN for the one value of a channel that is far from all others; say which it was.

    Heavy tails do not count: nothing may lie between it and the others for `FAR` times their span.

    Parameters
    ----------
    values
        (channels, samples); changed in place.
    """
    notes = []
    for name, own in zip(channels, values, strict=True):
        held = np.unique(own[np.isfinite(own)]).astype(np.float64)
        if len(held) <= VARIED:
            continue
        for value, rest in ((held[0], held[1:]), (held[-1], held[:-1])):
            if np.abs(value - rest).min() > FAR * (rest[-1] - rest[0]):
                places = own == value
                own[places] = np.nan
                notes.append(
                    f"{name}: {value:g}, in {many(int(places.sum()), 'sample')}, is far from all "
                    "other values and counts as missing"
                )
    return notes
