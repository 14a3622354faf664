"""What codecs of floating-point numbers share: each array as it is, in one precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from fdd_flower.config import CodecConfig
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.arrays import Layout, check_arrays, to_arrays, to_set


class FloatCodec:
    """Writes `inputs` and `targets` in `precision`, and `weights` as float32."""

    precision: ClassVar[Any]

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
        short = {"inputs": inputs, "targets": targets}
        return {n: a.astype(self.precision, copy=False) for n, a in short.items()} | {
            "weights": weights
        }

    def decode(
        self, arrays: Mapping[str, np.ndarray], *, feature_shape: tuple[int, ...], num_classes: int
    ) -> SyntheticSet:
        """Return the set that `arrays` stand for; see `Codec.decode`."""
        layouts = {
            "inputs": Layout(self.precision, feature_shape),
            "targets": Layout(self.precision, (num_classes,)),
            "weights": Layout(np.float32, ()),
        }
        check_arrays(arrays, layouts)
        return to_set(arrays["inputs"], self.read_targets(arrays["targets"]), arrays["weights"])

    def read_targets(self, targets: np.ndarray) -> np.ndarray:
        """Return the targets (n, k) as they were before they were written."""
        return targets
