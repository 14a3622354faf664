"""A lossy WebP file <-> the bare VP8 frame in it (RFC 6386, RFC 9649).

Only the frame travels. The reader builds the 20 bytes around it, so that a stranger can write no
second frame, no alpha channel, no metadata and no size that disagrees with the frame's own.
"""

from __future__ import annotations

from fdd_flower.wire.arrays import require

RIFF_HEADER = 20  # bytes: RIFF, a length, WEBP, the name of the chunk, its length
FRAME_HEADER = 10  # bytes: tag, start code, width, height
START_CODE = b"\x9d\x01\x2a"


def frame_of(webp: bytes) -> bytes:
    """Return the frame of a file in the simple lossy format, which is what Pillow writes."""
    assert webp[8:16] == b"WEBPVP8 ", "Pillow wrote another kind of WebP"
    size = int.from_bytes(webp[16:20], "little")
    return webp[RIFF_HEADER : RIFF_HEADER + size]


def file_of(frame: bytes) -> bytes:
    """Return the WebP file that holds `frame`."""
    even = frame + b"\0" * (len(frame) % 2)
    chunk = b"VP8 " + len(frame).to_bytes(4, "little") + even
    return b"RIFF" + (4 + len(chunk)).to_bytes(4, "little") + b"WEBP" + chunk


def check_frame(frame: bytes, *, height: int, width: int) -> None:
    """Check, before any pixel is decoded, that `frame` is one image of exactly this size.

    Raises
    ------
    WireError
        If it is not a shown key frame, or its size differs.
    """
    require(len(frame) > FRAME_HEADER, "mosaic", "a VP8 frame", f"{len(frame)} bytes")
    key, shown = not frame[0] & 1, bool(frame[0] & 16)
    require(key and shown, "mosaic", "a VP8 key frame that is shown", frame[:3].hex())
    require(frame[3:6] == START_CODE, "mosaic", "the start code of VP8", frame[3:6].hex())
    # The two bits above each side ask for scaling, which no honest writer does.
    sides = tuple(int.from_bytes(frame[i : i + 2], "little") for i in (8, 6))
    require(sides == (height, width), "mosaic", f"{height} x {width} pixels", sides)
