"""float32: exact."""

from __future__ import annotations

import numpy as np

from fdd_flower.wire.codecs._floats import FloatCodec
from fdd_flower.wire.codecs.base import CODECS


@CODECS.register("float32")
class Float32(FloatCodec):
    """Writes `inputs`, `targets` and `weights` as float32; the round trip is exact."""

    precision = np.float32
