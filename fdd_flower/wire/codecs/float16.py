"""float16: half the bytes, three decimal digits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fdd_flower.config import CodecConfig
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.arrays import Layout, check_arrays, require, to_arrays, to_set
from fdd_flower.wire.codecs.base import CODECS
from fdd_flower.wire.refusals import Code

SUM_TOLERANCE = 5e-3  # a row of thousands of rounded probabilities is off by less


@CODECS.register("float16")
class Float16:
    """Writes `inputs` and `targets` as float16, and `weights`, which may pass 65,504, as float32.

    An input comes back within 2**-11 of its magnitude, a one-hot row exactly.
    """

    def __init__(self, cfg: CodecConfig) -> None:
        self.cfg = cfg

    def encode(self, part: SyntheticSet) -> dict[str, np.ndarray]:
        """Return the arrays that stand for `part`; see `Codec.encode`.

        Raises
        ------
        WireError
            If a value is out of the range that the wire format allows; none is clipped.
        """
        inputs, targets, weights = to_arrays(part)
        half = np.float16
        return {"inputs": inputs.astype(half), "targets": targets.astype(half), "weights": weights}

    def decode(
        self, arrays: Mapping[str, np.ndarray], *, feature_shape: tuple[int, ...], num_classes: int
    ) -> SyntheticSet:
        """Return the set that `arrays` stand for; see `Codec.decode`."""
        layouts = {
            "inputs": Layout(np.float16, feature_shape),
            "targets": Layout(np.float16, (num_classes,)),
            "weights": Layout(np.float32, ()),
        }
        check_arrays(arrays, layouts)
        return to_set(arrays["inputs"], _renormalised(arrays["targets"]), arrays["weights"])


def _renormalised(targets: np.ndarray) -> np.ndarray:
    """Return rows (n, k) that sum to 1 again after rounding to half precision."""
    rows = targets.astype(np.float64)
    sums = rows.sum(axis=1, keepdims=True)
    worst = float(np.abs(sums - 1).max())
    wanted, got = f"rows that sum to 1 within {SUM_TOLERANCE:g}", f"one that is off by {worst:.4g}"
    require(worst <= SUM_TOLERANCE, "targets", wanted, got, Code.LABELS)
    return rows / sums
