"""What the image codecs share: one mosaic per class, and the rest of a set beside it."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar, Self

import numpy as np

from fdd_flower.config import CodecConfig
from fdd_flower.errors import WireError
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.arrays import (
    MAX_MAGNITUDE,
    Layout,
    check_arrays,
    require,
    to_arrays,
    to_set,
)
from fdd_flower.wire.codecs import _mosaic, _payload
from fdd_flower.wire.codecs._quantise import LEVELS, affine_ranges, largest_remainder, to_codes
from fdd_flower.wire.resolution import WHOLE, cell, resize

CODES = 0  # the kind of a payload whose stream is bytes under zlib
KINDS = {CODES: "plain values", 1: "webp", 2: "avif", 3: "series"}


class ImageCodec(ABC):
    """Writes all images of one class as one lossy mosaic; whatever is no image as plain bytes.

    Images are (1, h, w) or (3, h, w). Rows of any other shape come back within half a step of
    their channel, as with the codec `uint8`. Targets become shares of 255; weights are exact; the
    order of rows is kept. At a resolution below 16, images are sent smaller than they are.
    """

    kind: ClassVar[int]  # of this codec's payloads, 1..255

    def __init__(self, cfg: CodecConfig, *, resolution: int = WHOLE) -> None:
        self.cfg, self.resolution = cfg, resolution

    @abstractmethod
    def write(self, pixels: np.ndarray) -> bytes:
        """Return the stream of a mosaic: uint8, (H, W, 1 or 3)."""

    @abstractmethod
    def read(self, stream: bytes, shape: tuple[int, int, int]) -> np.ndarray:
        """Return the mosaic uint8 `shape` (H, W, 1 or 3) of a stream.

        Raises
        ------
        WireError
            If its header says another shape, which is seen before pixels are decoded.
        Exception
            Anything, if the pixels are damaged.
        """

    def at_quality(self, quality: int) -> Self:
        """See `Tunable`."""
        return type(self)(replace(self.cfg, quality=quality), resolution=self.resolution)

    def at_resolution(self, sixteenths: int) -> Self:
        """See `Tunable`."""
        return type(self)(self.cfg, resolution=sixteenths)

    def max_rows(self, feature_shape: tuple[int, ...]) -> int:
        """Return how many rows of one class fit into one mosaic."""
        if is_image(feature_shape):
            _, height, width = feature_shape
            return _mosaic.max_cells(*cell(height, width, self.resolution))
        return _mosaic.MAX_PIXELS

    def encode(self, part: SyntheticSet) -> dict[str, np.ndarray]:
        """Return the arrays that stand for `part`; see `Codec.encode`.

        Raises
        ------
        WireError
            If a value is out of the range that the wire format allows, or the images of a class
            are more than `max_rows`.
        """
        inputs, targets, weights = to_arrays(part)
        shares = largest_remainder(targets)
        lo, scale = affine_ranges(inputs)
        codes = to_codes(inputs, lo, scale)
        # A lossy coder may turn code 0 into 1: no step at all keeps the one value.
        axes = (0, *range(2, codes.ndim))
        scale = np.where(codes.max(axis=axes) > 0, scale, np.float32(0))
        image = is_image(part.feature_shape)
        streams = self._mosaics(codes, shares) if image else [zlib.compress(_columns(codes), 9)]
        resolution = self.resolution if image else WHOLE
        payload = _payload.Payload(
            kind=self.kind if image else CODES,
            shares=shares,
            weights=weights,
            lo=lo,
            scale=scale,
            streams=streams,
            resolution=resolution,
        )
        return {"payload": _payload.write(payload, part.feature_shape)}

    def decode(
        self, arrays: Mapping[str, np.ndarray], *, feature_shape: tuple[int, ...], num_classes: int
    ) -> SyntheticSet:
        """Return the set that `arrays` stand for; see `Codec.decode`."""
        check_arrays(arrays, {"payload": Layout(np.uint8, ())})
        payload = _payload.read(arrays["payload"].tobytes(), feature_shape, num_classes)
        image = is_image(feature_shape)
        wanted = self.kind if image else CODES
        got = KINDS.get(payload.kind, f"unknown kind {payload.kind}")
        require(payload.kind == wanted, "payload", f"{KINDS.get(wanted, wanted)}", got)
        read = self._codes_of_mosaics if image else _codes_of_bytes
        whole = image or payload.resolution == WHOLE
        require(whole, "payload", "every value of rows that are no images", "fewer")
        codes = read(payload, feature_shape)
        return to_set(_values(codes, payload), payload.shares / LEVELS, payload.weights)

    def _mosaics(self, codes: np.ndarray, shares: np.ndarray) -> list[bytes]:
        most = self.max_rows(codes.shape[1:])
        sides = cell(codes.shape[2], codes.shape[3], self.resolution)
        streams = []
        for rows in _classes(shares):
            if len(rows) > most:
                raise WireError(
                    "mosaic",
                    expected=f"at most {most} images of {codes.shape[1:]}",
                    got=len(rows),
                    remedy="Lower distiller.ipc, or choose the codec uint8.",
                )
            streams.append(self.write(_mosaic.tile(resize(codes[rows], *sides))))
        return streams

    def _codes_of_mosaics(
        self, payload: _payload.Payload, feature_shape: tuple[int, ...]
    ) -> np.ndarray:
        c, height, width = feature_shape
        h, w = cell(height, width, payload.resolution)
        most = _mosaic.max_cells(h, w)
        classes = list(_classes(payload.shares))
        found = len(payload.streams)
        require(found == len(classes), "payload", f"{len(classes)} mosaics", found)
        codes = np.empty((len(payload.shares), *feature_shape), np.uint8)
        for rows, stream in zip(classes, payload.streams, strict=True):
            require(len(rows) <= most, "payload", f"at most {most} images per class", len(rows))
            down, across = _mosaic.grid(len(rows), h, w)
            pixels = self._pixels(stream, (down * h, across * w, c))
            codes[rows] = resize(_mosaic.untile(pixels, len(rows), h, w), height, width)
        return codes

    def _pixels(self, stream: bytes, shape: tuple[int, int, int]) -> np.ndarray:
        try:
            pixels = self.read(stream, shape)
        except WireError:
            raise
        except Exception as error:  # Pillow's readers raise anything on hostile bytes
            raise WireError(
                "mosaic",
                expected="whole image data",
                got=str(error)[:100],
                remedy="Run the same version on both sides.",
            ) from error
        require(pixels.shape == shape, "mosaic", f"shape {shape}", pixels.shape)
        return pixels


def is_image(feature_shape: tuple[int, ...]) -> bool:
    """Tell whether rows of this shape are written as images: (1 or 3, h, w)."""
    return len(feature_shape) == 3 and feature_shape[0] in (1, 3)


def _classes(shares: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the rows of each class that is there: both ends see the same, as shares travel."""
    labels = shares.argmax(axis=1)
    for label in np.unique(labels):
        yield np.flatnonzero(labels == label)


def _columns(codes: np.ndarray) -> bytes:
    # Values of one column are like each other.
    return np.ascontiguousarray(codes.reshape(len(codes), -1).T).tobytes()


def _codes_of_bytes(payload: _payload.Payload, feature_shape: tuple[int, ...]) -> np.ndarray:
    n, width = len(payload.shares), int(np.prod(feature_shape))
    require(len(payload.streams) == 1, "payload", "one stream", len(payload.streams))
    flat = np.frombuffer(_payload.inflate(payload.streams[0], n * width), np.uint8)
    return flat.reshape(width, n).T.reshape(n, *feature_shape)


def _values(codes: np.ndarray, payload: _payload.Payload) -> np.ndarray:
    """Return float32 values of uint8 codes, by a table for each channel: no float64 copy."""
    steps = np.arange(LEVELS + 1) * payload.scale.astype(np.float64)[:, None]
    table = (payload.lo[:, None] + steps).clip(-MAX_MAGNITUDE, MAX_MAGNITUDE).astype(np.float32)
    values = np.empty(codes.shape, np.float32)
    for channel, row in enumerate(table):
        values[:, channel] = row[codes[:, channel]]
    return values
