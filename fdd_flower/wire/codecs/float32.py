"""float32: exact."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fdd_flower.config import CodecConfig
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.arrays import Layout, check_arrays, to_arrays, to_set
from fdd_flower.wire.codecs.base import CODECS


@CODECS.register("float32")
class Float32:
    """Writes `inputs`, `targets` and `weights` as float32; the round trip is exact."""

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
        return {"inputs": inputs, "targets": targets, "weights": weights}

    def decode(
        self, arrays: Mapping[str, np.ndarray], *, feature_shape: tuple[int, ...], num_classes: int
    ) -> SyntheticSet:
        """Return the set that `arrays` stand for; see `Codec.decode`."""
        layouts = {
            "inputs": Layout(np.float32, feature_shape),
            "targets": Layout(np.float32, (num_classes,)),
            "weights": Layout(np.float32, ()),
        }
        check_arrays(arrays, layouts)
        return to_set(arrays["inputs"], arrays["targets"], arrays["weights"])
