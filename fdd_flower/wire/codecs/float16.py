"""float16: half the bytes, three decimal digits."""

from __future__ import annotations

import numpy as np

from fdd_flower.wire.arrays import require
from fdd_flower.wire.codecs._floats import FloatCodec
from fdd_flower.wire.codecs.base import CODECS
from fdd_flower.wire.refusals import Code

SUM_TOLERANCE = 5e-3  # a row of thousands of rounded probabilities is off by less


@CODECS.register("float16")
class Float16(FloatCodec):
    """Writes `inputs` and `targets` as float16, and `weights`, which may pass 65,504, as float32.

    An input comes back within 2**-11 of its magnitude, a one-hot row exactly.
    """

    precision = np.float16

    def read_targets(self, targets: np.ndarray) -> np.ndarray:
        """Return rows (n, k) that sum to 1 again after rounding to half precision."""
        rows = targets.astype(np.float64)
        sums = rows.sum(axis=1, keepdims=True)
        worst = float(np.abs(sums - 1).max())
        wanted = f"rows that sum to 1 within {SUM_TOLERANCE:g}"
        got = f"one that is off by {worst:.4g}"
        require(worst <= SUM_TOLERANCE, "targets", wanted, got, Code.LABELS)
        return rows / sums
