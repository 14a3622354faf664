"""uint8: a quarter of the bytes, 256 levels per channel."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fdd_flower.config import CodecConfig
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.arrays import Layout, check_arrays, require, to_arrays, to_set
from fdd_flower.wire.codecs._quantise import (
    LEVELS,
    affine_ranges,
    along,
    largest_remainder,
    to_codes,
)
from fdd_flower.wire.codecs.base import CODECS
from fdd_flower.wire.refusals import Code


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
        codes = to_codes(inputs, lo, scale)
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
        require(smallest > 0, "scale", "positive values", f"{smallest:g}", Code.RANGE)
        sums = shares.sum(axis=1, dtype=np.int64)
        sums_shown = f"sums from {sums.min()} to {sums.max()}"
        whole = bool((sums == LEVELS).all())
        require(whole, "targets", "rows that sum to 255", sums_shown, Code.LABELS)
        inputs = along(arrays["lo"], codes) + codes * along(scale, codes)
        return to_set(inputs, shares / LEVELS, arrays["weights"])
