"""The one array of an image codec: a header, compressed bookkeeping, then streams end to end.

    version u8 | kind u8 | form u8 | rows u32 | streams u32 | packed u32      little endian
    packed bytes of zlib: labels (rows) or shares (rows, k) | weights f32 (rows,)
                          | lo f32 (c,) | scale f32 (c,) | stream lengths u32 (streams,)
    the streams

The lowest bit of `form` says that labels follow, not shares; the others how many sixteenths of an
image's sides were left out. One array, because each costs some 250 bytes of framing.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass

import numpy as np

from fdd_flower.wire.arrays import MAX_MAGNITUDE, require, require_finite
from fdd_flower.wire.codecs._quantise import LEVELS
from fdd_flower.wire.refusals import Code, RefusedError
from fdd_flower.wire.resolution import WHOLE

VERSION = 1
HEADER = struct.Struct("<BBBIII")
# A reader takes this many values, of inputs and targets together, for a payload of any size, and
# this many more for each byte of it: flat images compress without bound, and a stranger's few
# bytes may not fill memory. Real images at the lowest quality have up to 50 values a byte.
FREE_VALUES = 2**21
VALUES_A_BYTE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What one payload says.

    Attributes
    ----------
    kind
        How the streams are coded; 0..255, the codec's to choose.
    resolution
        Sixteenths of an image's sides that the streams hold, 1..16.
    shares
        uint8, (n, k): each row sums to 255.
    weights
        float32, (n,).
    lo, scale
        float32, (c,) each: code 0 of a channel, and a step of it. Scale 0: one value only.
    streams
        The images or values, coded.
    """

    kind: int
    shares: np.ndarray
    weights: np.ndarray
    lo: np.ndarray
    scale: np.ndarray
    streams: list[bytes]
    resolution: int = WHOLE


def write(payload: Payload, feature_shape: tuple[int, ...]) -> np.ndarray:
    """Return the payload as uint8, (bytes,).

    Raises
    ------
    WireError
        If a reader would take it for a decompression bomb.
    """
    n, k = payload.shares.shape
    # Rounded to 255ths, a distribution this sharp is a label.
    hard = bool((payload.shares.max(axis=1) == LEVELS).all())
    labels = payload.shares.argmax(axis=1).astype(_label_type(k))
    parts = [
        labels if hard else payload.shares,
        payload.weights.astype("<f4"),
        payload.lo.astype("<f4"),
        payload.scale.astype("<f4"),
        np.array([len(stream) for stream in payload.streams], "<u4"),
    ]
    packed = zlib.compress(b"".join(part.tobytes() for part in parts), 9)
    form = hard + 2 * (WHOLE - payload.resolution)
    header = HEADER.pack(VERSION, payload.kind, form, n, len(payload.streams), len(packed))
    data = b"".join([header, packed, *payload.streams])
    _check_size(n, k, feature_shape, len(data))
    return np.frombuffer(data, np.uint8).copy()


def read(data: bytes, feature_shape: tuple[int, ...], num_classes: int) -> Payload:
    """Return what `data` says; nothing larger than the header allows is ever unpacked.

    Raises
    ------
    WireError
        If anything is missing, left over, or makes no sense.
    """
    require(len(data) >= HEADER.size, "payload", "a header", f"{len(data)} bytes")
    version, kind, form, n, streams, packed = HEADER.unpack_from(data)
    require(version == VERSION, "payload", f"version {VERSION}", version, Code.SCHEMA)
    require(form < 2 * WHOLE, "payload", f"a form below {2 * WHOLE}", form)
    hard = bool(form % 2)
    require(n > 0, "payload", "at least one row", n, Code.EMPTY)
    require(0 < streams <= n, "payload", "from one stream to one per row", streams)
    _check_size(n, num_classes, feature_shape, len(data))

    label = _label_type(num_classes)
    channels = feature_shape[0]
    lengths = (
        n * label.itemsize if hard else n * num_classes,
        4 * n,
        4 * channels,
        4 * channels,
        4 * streams,
    )
    body = HEADER.size + packed
    fields = _split(inflate(data[HEADER.size : body], sum(lengths)), lengths)
    weights, lo, scale = (np.frombuffer(f, "<f4").astype(np.float32) for f in fields[1:4])
    _check_ranges(lo, scale)
    return Payload(
        kind=kind,
        shares=_shares(np.frombuffer(fields[0], label if hard else np.uint8), num_classes, hard),
        weights=weights,
        lo=lo,
        scale=scale,
        streams=_split(data[body:], [int(x) for x in np.frombuffer(fields[4], "<u4")]),
        resolution=WHOLE - form // 2,
    )


def inflate(data: bytes, size: int) -> bytes:
    """Return the `size` bytes that zlib stream `data` holds, unpacking no more than that.

    Raises
    ------
    WireError
        If it is damaged, or holds another number of bytes, or something follows it.
    """
    reader = zlib.decompressobj()
    try:
        out = reader.decompress(data, size + 1)
    except zlib.error as error:
        raise RefusedError(
            "payload",
            expected="a zlib stream",
            got=str(error)[:100],
            remedy="Run the same version on both sides.",
        ) from error
    whole = len(out) == size and reader.eof and not reader.unused_data
    require(whole, "payload", f"a zlib stream of {size} bytes", "another length")
    return out


def _label_type(num_classes: int) -> np.dtype:
    return np.min_scalar_type(max(num_classes - 1, 0)).newbyteorder("<")


def _split(data: bytes, lengths: list[int] | tuple[int, ...]) -> list[bytes]:
    total = sum(lengths)
    require(len(data) == total, "payload", f"{total} bytes", len(data))
    ends = np.cumsum(lengths, dtype=np.int64).tolist()
    return [data[end - length : end] for end, length in zip(ends, lengths, strict=True)]


def _shares(values: np.ndarray, num_classes: int, hard: bool) -> np.ndarray:
    if not hard:
        shares = values.reshape(-1, num_classes)
        sums = shares.sum(axis=1, dtype=np.int64)
        shown = f"sums from {sums.min()} to {sums.max()}"
        whole = bool((sums == LEVELS).all())
        require(whole, "targets", "rows that sum to 255", shown, Code.LABELS)
        return shares
    highest = int(values.max())
    known = highest < num_classes
    require(known, "labels", f"below {num_classes}", highest, Code.UNKNOWN_CLASS)
    shares = np.zeros((len(values), num_classes), np.uint8)
    shares[np.arange(len(values)), values] = LEVELS
    return shares


def _check_ranges(lo: np.ndarray, scale: np.ndarray) -> None:
    require_finite("lo", lo)
    require_finite("scale", scale)
    high = lo.astype(np.float64) + LEVELS * scale.astype(np.float64)
    # The slack is for the rounding of `scale` to float32; readers clip what it lets through.
    most = MAX_MAGNITUDE * (1 + 1e-6)
    fits = (np.abs(lo) <= MAX_MAGNITUDE) & (scale >= 0) & (high <= most)
    wanted, got = f"ranges within +-{MAX_MAGNITUDE:g}", f"{int((~fits).sum())} that are not"
    require(bool(fits.all()), "lo and scale", wanted, got, Code.RANGE)


def _check_size(n: int, num_classes: int, feature_shape: tuple[int, ...], size: int) -> None:
    values = n * (math.prod(feature_shape) + num_classes)
    most = FREE_VALUES + VALUES_A_BYTE * size
    if values > most:
        raise RefusedError(
            "payload",
            expected=f"at most {most} values in {size} bytes",
            got=values,
            remedy="Lower distiller.ipc, or choose the codec uint8.",
            code=Code.TOO_LARGE,
        )
