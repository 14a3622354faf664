"""series: the frequencies of each channel along time, rounded and compressed by LZMA."""

from __future__ import annotations

import lzma
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import scipy.fft

from fdd_flower.config import CodecConfig
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.arrays import (
    MAX_MAGNITUDE,
    Layout,
    check_arrays,
    require,
    to_arrays,
    to_set,
)
from fdd_flower.wire.codecs import _payload
from fdd_flower.wire.codecs._quantise import LEVELS, largest_remainder
from fdd_flower.wire.codecs.base import CODECS
from fdd_flower.wire.resolution import WHOLE

KIND = 3  # of its payloads
COARSEST = 4.0  # step at quality 0, in normalised units
HALVED = 12.5  # qualities by which a step halves
DEAD = 0.6  # of a step: what is below becomes 0. The rare large steps cost more than they tell.
PLANES = 4  # bytes of a code at most
# Rows of one frequency are like each other, and no byte says anything of the bits of the next.
FILTERS: list[dict[str, Any]] = [
    {"id": lzma.FILTER_LZMA1, "preset": 6, "dict_size": 2**20, "lc": 0, "lp": 0, "pb": 0}
]


class Series:
    """Writes series (c, t) as steps of their orthonormal DCT-II along time.

    One step for all frequencies and channels of a set: of normalised inputs it is what costs the
    fewest bytes at a given squared error. A series comes back within about a third of a step in
    root mean square. At a resolution below 16 the highest frequencies are left out. Inputs of any
    other shape are transformed along their last axis, vectors along none. Targets become shares of
    255; weights are exact; the order of rows is kept.

    `codec.quality` 30 is a step of 0.76 standard deviations, and 12.5 more halve it. HAPT's windows
    of 6 x 128 then take 70 bytes each, where `uint8` takes 785.
    """

    of: ClassVar[str] = "series"

    def __init__(self, cfg: CodecConfig, *, resolution: int = WHOLE) -> None:
        self.cfg, self.resolution = cfg, resolution

    @property
    def step(self) -> float:
        """The step of a frequency, in the units of normalised inputs."""
        return COARSEST * 2 ** (-self.cfg.quality / HALVED)

    def at_quality(self, quality: int) -> Self:
        """See `Tunable`."""
        return type(self)(replace(self.cfg, quality=quality), resolution=self.resolution)

    def at_resolution(self, sixteenths: int) -> Self:
        """See `Tunable`."""
        return type(self)(self.cfg, resolution=sixteenths)

    def encode(self, part: SyntheticSet) -> dict[str, np.ndarray]:
        """Return the arrays that stand for `part`; see `Codec.encode`.

        Raises
        ------
        WireError
            If a value is out of the range that the wire format allows.
        """
        inputs, targets, weights = to_arrays(part)
        channels, length = _as_series(part.feature_shape)
        kept = _kept(length, self.resolution)
        series = inputs.reshape(len(inputs), channels, length).astype(np.float64)
        steps = np.asarray(scipy.fft.dct(series, axis=2, norm="ortho"))[:, :, :kept] / self.step
        codes = np.sign(steps) * np.floor(np.abs(steps) + (1 - DEAD))
        first = part.feature_shape[0]
        payload = _payload.Payload(
            kind=KIND,
            shares=largest_remainder(targets),
            weights=weights,
            lo=np.zeros(first, np.float32),
            scale=np.full(first, self.step, np.float32),
            streams=[_squeezed(codes.astype(np.int64))],
            resolution=self.resolution,
        )
        return {"payload": _payload.write(payload, part.feature_shape)}

    def decode(
        self, arrays: Mapping[str, np.ndarray], *, feature_shape: tuple[int, ...], num_classes: int
    ) -> SyntheticSet:
        """Return the set that `arrays` stand for; see `Codec.decode`."""
        check_arrays(arrays, {"payload": Layout(np.uint8, ())})
        payload = _payload.read(arrays["payload"].tobytes(), feature_shape, num_classes)
        require(payload.kind == KIND, "payload", f"kind {KIND}, a series", payload.kind)
        require(len(payload.streams) == 1, "payload", "one stream", len(payload.streams))
        step = float(payload.scale[0])
        flat = not payload.lo.any() and bool((payload.scale == payload.scale[0]).all())
        require(step > 0 and flat, "lo and scale", "one step above 0", "other values")
        channels, length = _as_series(feature_shape)
        kept = _kept(length, payload.resolution)
        shape = (channels, kept, len(payload.shares))
        codes = _spread(payload.streams[0], shape)
        series = np.zeros((shape[2], channels, length))
        series[:, :, :kept] = step * codes.transpose(2, 0, 1)
        # what was within the range may be a step beyond it
        values = np.asarray(scipy.fft.idct(series, axis=2, norm="ortho"))
        rows = values.clip(-MAX_MAGNITUDE, MAX_MAGNITUDE).astype(np.float32)
        return to_set(rows.reshape(-1, *feature_shape), payload.shares / LEVELS, payload.weights)


def _as_series(feature_shape: tuple[int, ...]) -> tuple[int, int]:
    """Return a feature shape as (channels, steps)."""
    if len(feature_shape) == 1:
        return feature_shape[0], 1
    return math.prod(feature_shape[:-1]), feature_shape[-1]


def _kept(length: int, sixteenths: int) -> int:
    return -(-length * sixteenths // WHOLE)


def _squeezed(codes: np.ndarray) -> bytes:
    """Return codes int64 (n, c, k): a byte with the number of planes, and LZMA of these.

    A code is 2 |code|, less 1 where it is positive: so small ones of either sign are small. Plane
    b holds byte b of each, frequency by frequency: (c, k, n).
    """
    folded = np.where(codes > 0, 2 * codes - 1, -2 * codes).transpose(1, 2, 0)
    planes = max(1, -(-int(folded.max()).bit_length() // 8))
    require(planes <= PLANES, "codes", f"at most {PLANES} bytes each", planes)
    raw = b"".join(((folded >> 8 * b) & 255).astype(np.uint8).tobytes() for b in range(planes))
    return bytes([planes]) + lzma.compress(raw, format=lzma.FORMAT_RAW, filters=FILTERS)


def _spread(stream: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    """Return the codes int64 `shape` (c, k, n) of a stream, unpacking no more than that.

    Raises
    ------
    WireError
        If it is damaged, or holds another number of bytes, or something follows it.
    """
    require(len(stream) > 0, "payload", "a stream", "an empty one")
    planes = stream[0]
    require(1 <= planes <= PLANES, "payload", f"from 1 to {PLANES} planes", planes)
    size = planes * math.prod(shape)
    reader = lzma.LZMADecompressor(format=lzma.FORMAT_RAW, filters=FILTERS)
    try:
        raw = reader.decompress(stream[1:], size + 1)
        # the mark of the end may be left
        raw += b"" if reader.eof else reader.decompress(b"", 1)
        got = f"{len(raw)} bytes"
    except (lzma.LZMAError, EOFError) as error:
        raw, got = b"", str(error)[:100]
    whole = len(raw) == size and reader.eof and not reader.unused_data
    require(whole, "payload", f"an LZMA stream of {size} bytes", got)
    folded = np.zeros(math.prod(shape), np.int64)
    for b, plane in enumerate(np.frombuffer(raw, np.uint8).reshape(planes, -1)):
        folded += plane.astype(np.int64) << 8 * b
    return np.where(folded % 2, folded // 2 + 1, -(folded // 2)).reshape(shape)


CODECS.register("series")(Series)
