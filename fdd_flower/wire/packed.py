"""What replies of a finishing round share: codes of one byte each under a Huffman code."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from torch import Tensor

from fdd_flower.wire.refusals import Code, RefusedError

MOST_RECORDS = 10**9


def pack(codes: np.ndarray) -> np.ndarray:
    """Return int8 codes under a Huffman code of their own."""
    coder = zlib.compressobj(9, strategy=zlib.Z_HUFFMAN_ONLY)
    packed = coder.compress(codes.tobytes()) + coder.flush()
    return np.frombuffer(packed, np.uint8)


def unpack(name: str, packed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the int8 codes (*shape) in array `name` of a reply.

    Raises
    ------
    RefusedError
        If it is no zlib stream of as many bytes.
    """
    if packed.dtype != np.uint8 or packed.ndim != 1:
        raise bad(name, "a row of uint8", f"{packed.dtype}, {packed.shape}"[:80], Code.DTYPE)
    size, reader = int(np.prod(shape)), zlib.decompressobj()
    try:
        found = reader.decompress(packed.tobytes(), size + 1)
    except zlib.error as error:
        raise bad(name, "a zlib stream", str(error)[:80], Code.UNDECODABLE) from error
    if len(found) != size or not reader.eof or reader.unused_data:
        raise bad(name, f"a zlib stream of {size} bytes", "another", Code.UNDECODABLE)
    return np.frombuffer(found, np.int8).reshape(shape).copy()


def check_records(arrays: Mapping[str, np.ndarray]) -> None:
    """Check how many records a client says it has: `records`, int64 (1,).

    Raises
    ------
    RefusedError
        If that is none, or more than `MOST_RECORDS`.
    """
    if not 0 < arrays["records"][0] <= MOST_RECORDS:
        raise bad("records", f"1 to {MOST_RECORDS}", int(arrays["records"][0]), Code.WEIGHTS)


def tensors_of(content: Any) -> dict[str, Tensor]:
    """Return the fields of a dataclass of tensors by name, as the ledger keeps them."""
    return {field.name: getattr(content, field.name) for field in fields(content)}


def bad(name: str, expected: str, got: object, code: Code) -> RefusedError:
    """Return a refusal of array `name` of a reply."""
    return RefusedError(f"reply.arrays.{name}", expected=expected, got=got, code=code)
