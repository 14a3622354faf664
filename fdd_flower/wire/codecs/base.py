"""What a codec is: a SyntheticSet to plain arrays and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from fdd_flower.config import CodecConfig
from fdd_flower.registry import Registry
from fdd_flower.synthetic_set import SyntheticSet


class Codec(Protocol):
    """Writes a set as named arrays of bounded size, and reads it back."""

    def encode(self, part: SyntheticSet) -> dict[str, np.ndarray]:
        """Return the arrays that stand for `part` (its meta travels apart)."""
        ...

    def decode(
        self, arrays: Mapping[str, np.ndarray], *, feature_shape: tuple[int, ...], num_classes: int
    ) -> SyntheticSet:
        """Return the set that `arrays` stand for.

        Raises
        ------
        WireError
            If an array is missing, unknown, or of a wrong type, shape or range; nothing else.
        """
        ...


CODECS: Registry[Callable[[CodecConfig], Codec]] = Registry("codec", "fdd_flower.wire.codecs")
