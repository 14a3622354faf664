"""Values to bytes: an affine range for each channel, probabilities as shares of 255."""

from __future__ import annotations

import numpy as np

LEVELS = 255  # steps from the lowest value to the highest


def affine_ranges(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 `lo` and `scale`, (c,) each, of inputs (n, c, ...).

    A channel of one value has scale 1: code 0 then stands for that value exactly.
    """
    axes = (0, *range(2, inputs.ndim))
    lo, hi = inputs.min(axis=axes), inputs.max(axis=axes)
    scale = ((hi.astype(np.float64) - lo) / LEVELS).astype(np.float32)
    return lo, np.where(scale > 0, scale, np.float32(1))


def to_codes(inputs: np.ndarray, lo: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return uint8 codes of inputs (n, c, ...): each value is nearest to `lo + code * scale`."""
    steps = (inputs.astype(np.float64) - along(lo, inputs)) / along(scale, inputs)
    # The clip takes up the rounding of `scale` to float32: 255.00001 is 255.
    return np.rint(steps).clip(0, LEVELS).astype(np.uint8)


def largest_remainder(targets: np.ndarray) -> np.ndarray:
    """Return uint8 shares (n, k) that sum to 255 in each row and are nearest to its probabilities.

    Each entry gets the whole part of its share; the units that are left go to the largest
    remainders, the lower class first on a tie.
    """
    rows = targets.astype(np.float64)
    exact = LEVELS * rows / rows.sum(axis=1, keepdims=True)
    shares = np.floor(exact)
    left = LEVELS - shares.sum(axis=1, keepdims=True)
    order = np.argsort(shares - exact, axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    return (shares + (rank < left)).astype(np.uint8)


def along(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return (c,) as float64 that broadcasts over rows (n, c, ...)."""
    return values.astype(np.float64).reshape(-1, *[1] * (rows.ndim - 2))
