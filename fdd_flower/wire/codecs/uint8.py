"""uint8: a quarter of the bytes, 256 levels a channel."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fdd_flower.config import CodecConfig
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.codecs._arrays import Layout, check_arrays, require, to_arrays, to_set
from fdd_flower.wire.codecs.base import CODECS

LEVELS = 255  # steps from the lowest value to the highest


@CODECS.register("uint8")
class Uint8:
    """Writes inputs and targets as bytes, with a range for each channel, or column of a table.

    `inputs` are codes 0..255 with value `lo + code * scale`, where float32 `lo` and `scale`
    have one entry for each place on the first feature axis; an input comes back within half a
    `scale`. `targets` are shares of 255 that sum to 255 in each row, so a one-hot row comes back
    exactly. `weights` stay float32.
    """

    def __init__(self, cfg: CodecConfig) -> None:
        self.cfg = cfg

    def encode(self, part: SyntheticSet) -> dict[str, np.ndarray]:
        """Return the arrays that stand for `part`; see `Codec.encode`.

        Raises
        ------
        WireError
            If a value is out of the range that the wire format allows.
        """
        inputs, targets, weights = to_arrays(part)
        lo, scale = affine_ranges(inputs)
        steps = (inputs.astype(np.float64) - _along(lo, inputs)) / _along(scale, inputs)
        # The clip takes up the rounding of `scale` to float32: 255.00001 is 255.
        codes = np.rint(steps).clip(0, LEVELS).astype(np.uint8)
        shares = largest_remainder(targets)
        return {"inputs": codes, "targets": shares, "weights": weights, "lo": lo, "scale": scale}

    def decode(
        self, arrays: Mapping[str, np.ndarray], *, feature_shape: tuple[int, ...], num_classes: int
    ) -> SyntheticSet:
        """Return the set that `arrays` stand for; see `Codec.decode`."""
        layouts = {
            "inputs": Layout(np.uint8, feature_shape),
            "targets": Layout(np.uint8, (num_classes,)),
            "weights": Layout(np.float32, ()),
            "lo": Layout(np.float32, feature_shape[:1], by_row=False),
            "scale": Layout(np.float32, feature_shape[:1], by_row=False),
        }
        check_arrays(arrays, layouts)
        codes, shares, scale = arrays["inputs"], arrays["targets"], arrays["scale"]
        smallest = float(scale.min(initial=np.inf))
        require(smallest > 0, "scale", "positive values", f"{smallest:g}")
        sums = shares.sum(axis=1, dtype=np.int64)
        sums_shown = f"sums from {sums.min()} to {sums.max()}"
        require(bool((sums == LEVELS).all()), "targets", "rows that sum to 255", sums_shown)
        inputs = _along(arrays["lo"], codes) + codes * _along(scale, codes)
        return to_set(inputs, shares / LEVELS, arrays["weights"])


def affine_ranges(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 `lo` and `scale`, (c,) each, of inputs (n, c, ...).

    A channel of one value has scale 1: code 0 then stands for that value exactly.
    """
    axes = (0, *range(2, inputs.ndim))
    lo, hi = inputs.min(axis=axes), inputs.max(axis=axes)
    scale = ((hi.astype(np.float64) - lo) / LEVELS).astype(np.float32)
    return lo, np.where(scale > 0, scale, np.float32(1))


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


def _along(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return (c,) as float64 that broadcasts over rows (n, c, ...)."""
    return values.astype(np.float64).reshape(-1, *[1] * (rows.ndim - 2))
