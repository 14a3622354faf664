"""The largest number of rows within a byte budget, found in few measurements."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fdd_flower.distillers.base import ClassRecords, Plan, room_in_mosaic
from fdd_flower.wire.codecs.base import Codec

FIRST = 8  # rows to look at first
SLACK = 0.02  # of the rows that fit: more are looked for only if there could be more than that


def most_rows(size: Callable[[int], int], *, most: int, target: int) -> int:
    """Return nearly the most rows, from 0 to `most`, for which `size` is at most `target` bytes.

    Parameters
    ----------
    size
        Bytes of so many rows, which nearly grow in proportion to them.
    """
    fits, above, guess = 0, most + 1, min(FIRST, most)
    halve = False
    while above - fits > max(1, SLACK * fits):
        found = size(guess)
        if found <= target:
            fits = guess
        else:
            above = guess
        # A straight line from nothing, and every other time the middle, should it mislead.
        line = int(guess * target / found)
        guess = (fits + above) // 2 if halve and above <= most else line
        guess = max(fits + 1, min(guess, above - 1))
        halve = not halve
    return fits


def most_a_class(parts: Sequence[ClassRecords], codec: Codec, plan: Plan) -> int:
    """Return the most rows that any of `parts` may have and `codec` has room for."""
    room = room_in_mosaic(codec, plan.feature_shape)
    most = max(part.rows for part in parts)
    return most if room is None else min(most, room)
