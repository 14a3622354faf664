"""What a codec is: a SyntheticSet to plain arrays and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from typing import Protocol, Self, TypeGuard, runtime_checkable

import numpy as np

from fdd_flower.config import CodecConfig
from fdd_flower.registry import Registry
from fdd_flower.schema import kind_of
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


@runtime_checkable
class Tunable(Codec, Protocol):
    """A codec that can trade fidelity for bytes; a reader takes what any setting of it wrote.

    Its class may declare `of`, the kind of inputs whose fidelity that is; else it is images.
    """

    def at_quality(self, quality: int) -> Self:
        """Return the same codec at another quality, 0..100."""
        ...

    def at_resolution(self, sixteenths: int) -> Self:
        """Return the same codec with that many sixteenths of an image's sides, 1..16."""
        ...


def tunes(codec: Codec, feature_shape: tuple[int, ...]) -> TypeGuard[Tunable]:
    """Tell whether `codec` trades the fidelity of such inputs for bytes: some do of images only."""
    return isinstance(codec, Tunable) and kind_of(feature_shape) == getattr(codec, "of", "image")


ENVELOPE = 512  # bytes: who replies to which round, with room for a long client name
FRAMING = 96  # bytes of an array's entry in a message beside its NPY file


def array_bytes(arrays: Mapping[str, np.ndarray]) -> int:
    """Return at most how many bytes a reply that carries `arrays` takes, envelope included."""
    return ENVELOPE + sum(FRAMING + len(name) + _npy_bytes(a) for name, a in arrays.items())


def _npy_bytes(array: np.ndarray) -> int:
    stream = BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=False)
    return len(stream.getvalue())


CODECS: Registry[Callable[[CodecConfig], Codec]] = Registry("codec", "fdd_flower.wire.codecs")

AUTO, SHORTEST = "auto", 8  # steps of a series that has frequencies worth coding


def resolved(cfg: CodecConfig, feature_shape: tuple[int, ...]) -> CodecConfig:
    """Return the settings with a codec's name in place of `auto`: it depends on the shape alone.

    `series` for series of `SHORTEST` steps or more, `uint8` for all else.
    """
    if cfg.name != AUTO:
        return cfg
    series = kind_of(feature_shape) == "series" and feature_shape[-1] >= SHORTEST
    return replace(cfg, name="series" if series else "uint8")


def build_codec(cfg: CodecConfig, feature_shape: tuple[int, ...]) -> Codec:
    """Return the codec that `cfg` names for inputs of a shape.

    Raises
    ------
    ConfigError
        If the name is unknown.
    """
    chosen = resolved(cfg, feature_shape)
    return CODECS.get(chosen.name)(chosen)
