"""An AVIF file <-> the bare AV1 still picture in it (AV1 specification, sections 5.3 to 5.5).

Only the picture travels: a sequence header and one frame. The reader builds the boxes around it,
some 265 bytes for each class, so that a stranger can write no second frame, no alpha channel, no
grid, no metadata and no size that disagrees with the picture's own.
"""

from __future__ import annotations

import struct

from fdd_flower.wire.arrays import require

SEQUENCE_HEADER, FRAME = 0x0A, 0x32  # first byte of a unit of that type that has a size field
TEMPORAL_DELIMITER = b"\x12\x00"
# BT.709 primaries, sRGB transfer, BT.601 matrix, full range: what Pillow writes.
COLOUR = b"nclx" + struct.pack(">HHHB", 1, 13, 6, 0x80)


def picture_of(avif: bytes) -> bytes:
    """Return sequence header and frame of a file of one item, which is what Pillow writes."""
    start = 0
    while avif[start + 4 : start + 8] != b"mdat":
        step = int.from_bytes(avif[start : start + 4], "big")
        assert step >= 8, "Pillow wrote another kind of AVIF"
        start += step
    end = start + int.from_bytes(avif[start : start + 4], "big")
    return avif[start + 8 : end].removeprefix(TEMPORAL_DELIMITER)


def check_picture(picture: bytes, *, height: int, width: int, grey: bool) -> None:
    """Check, before any pixel is decoded, that `picture` is one image of exactly this kind.

    A reduced header has no frame size of its own, so no decoder can find another one later.

    Raises
    ------
    WireError
        If it is not one sequence header and one frame, or not an 8-bit still picture of this size,
        in monochrome or 4:4:4.
    """
    end = _unit(picture, 0, SEQUENCE_HEADER)
    whole = picture[1] < 0x80 and _unit(picture, end, FRAME) == len(picture)
    require(whole, "mosaic", "a sequence header and one frame", f"{len(picture)} bytes")
    bits = "".join(f"{byte:08b}" for byte in picture[2:end])
    require(len(bits) >= 18, "mosaic", "a whole sequence header", f"{len(bits)} bits")
    kind = f"profile {int(bits[:3], 2)}, still {bits[3]}, reduced {bits[4]}"
    expected = f"profile {_profile(grey)}, still 1, reduced 1"
    require(kind == expected, "mosaic", expected, kind)
    wide, high = int(bits[10:14], 2) + 1, int(bits[14:18], 2) + 1
    tail = 18 + wide + high
    require(len(bits) >= tail + 8, "mosaic", "a whole sequence header", f"{len(bits)} bits")
    sides = int(bits[18 + wide : tail], 2) + 1, int(bits[18 : 18 + wide], 2) + 1
    require(sides == (height, width), "mosaic", f"{height} x {width} pixels", sides)
    # Six switches of the coding tools come first. Profile 1 has no switch for monochrome.
    deep_mono = bits[tail + 6 : tail + 8 if grey else tail + 7]
    require(
        deep_mono == ("01" if grey else "0"), "mosaic", "8 bits, and one plane for grey", deep_mono
    )


def file_of(picture: bytes, *, height: int, width: int, grey: bool) -> bytes:
    """Return the AVIF file that holds a picture that has passed `check_picture`."""
    start = _box(b"ftyp", b"avif", bytes(4), b"avifmif1miaf")
    # The length of `meta` does not depend on the offset that it holds.
    offset = len(start) + len(_meta(picture, 0, height, width, grey)) + 8
    return start + _meta(picture, offset, height, width, grey) + _box(b"mdat", picture)


def _unit(picture: bytes, start: int, kind: int) -> int:
    """Return where the unit of type `kind` that begins at `start` ends; its size is LEB128."""
    head = picture[start : start + 6]
    require(head[:1] == bytes([kind]), "mosaic", f"an AV1 unit {kind:#x}", head[:1].hex())
    # A size of more bytes than the five read here would be another size to the decoder.
    used = next((i for i, byte in enumerate(head[1:], start=1) if byte < 0x80), 0)
    require(used > 0, "mosaic", "a size of 1 to 5 bytes", head[1:].hex())
    size = sum((byte & 0x7F) << 7 * i for i, byte in enumerate(head[1 : used + 1]))
    end = start + 1 + used + size
    require(end <= len(picture), "mosaic", "a whole AV1 unit", f"{len(picture)} bytes of {end}")
    return end


def _meta(picture: bytes, offset: int, height: int, width: int, grey: bool) -> bytes:
    level = (picture[2] & 7) << 2 | picture[3] >> 6
    sampling = 0b00011100 if grey else 0  # monochrome; 4:4:4
    properties = _box(
        b"ipco",
        _full_box(b"ispe", struct.pack(">II", width, height)),
        _full_box(b"pixi", b"\1\x08" if grey else b"\3\x08\x08\x08"),
        _box(b"av1C", bytes([0x81, _profile(grey) << 5 | level, sampling, 0])),
        _box(b"colr", COLOUR),
    )
    # One item, number 1, has the four properties; the codec's must be understood.
    has = _full_box(b"ipma", struct.pack(">IHB", 1, 1, 4), b"\x01\x02\x83\x04")
    place = struct.pack(">HHHHHII", 0x4400, 1, 1, 0, 1, offset, len(picture))
    item = _full_box(b"infe", struct.pack(">HH", 1, 0), b"av01Color\0", version=2)
    return _full_box(
        b"meta",
        _full_box(b"hdlr", bytes(4), b"pict", bytes(13)),
        _full_box(b"pitm", struct.pack(">H", 1)),
        _full_box(b"iloc", place),
        _full_box(b"iinf", struct.pack(">H", 1), item),
        _box(b"iprp", properties, has),
    )


def _profile(grey: bool) -> int:
    return 0 if grey else 1  # main; high, which is the least that has 4:4:4


def _box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + kind + content


def _full_box(kind: bytes, *parts: bytes, version: int = 0) -> bytes:
    return _box(kind, bytes([version, 0, 0, 0]), *parts)
