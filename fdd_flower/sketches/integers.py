"""Whole numbers instead of real ones: their sums are the same in any order and grouping."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from fdd_flower.device import on_host, with_doubles
from fdd_flower.wire.arrays import require
from fdd_flower.wire.refusals import Code

FRACTION = 8  # bits after the point of a feature, an input, or a cosine
ONE = 2**FRACTION
LIMIT = 2**15 - 1  # largest feature, in steps of 1 / ONE: what lies beyond +-128 is clipped
# Of one client. A product of two features is below 2^30, so that sums of them over 2^22 records are
# below 2^52: doubles hold them exactly, and 64 bits those of 2,048 such clients.
MAX_RECORDS = 2**22
WIDEST = 53  # bits of a sum, its sign among them


def whole(values: Tensor) -> Tensor:
    """Return `values` in steps of 1 / ONE, clipped to +-LIMIT: whole numbers, as doubles.

    On the device of `values`, or on the CPU where that has no doubles.
    """
    exact = values.to(with_doubles(values.device)).double()
    return (exact * ONE).round().clamp(-LIMIT, LIMIT)


def width_of(values: Tensor) -> int:
    """Return the bits, from 1, that the largest of whole `values` takes in two's complement."""
    if not values.numel():
        return 1
    low, high = values.aminmax()
    largest = max(int(high), -int(low) - 1, 0)
    return 1 + largest.bit_length()


def to_planes(values: Tensor, bits: int) -> np.ndarray:
    """Return int64 `values` as their lowest `bits` bits: uint8, (bits, bytes), a bit a plane."""
    flat = on_host(values.flatten()).numpy()
    return np.stack([np.packbits((flat >> bit & 1).astype(np.uint8)) for bit in range(bits)])


def from_planes(planes: np.ndarray, shape: tuple[int, ...], *, signed: bool = True) -> Tensor:
    """Return the whole numbers of `shape` in what `to_planes` returned: int64.

    Parameters
    ----------
    signed
        Whether the highest bit counts below zero.
    """
    count = int(np.prod(shape))
    total = np.zeros(count, dtype=np.int64)
    for bit, plane in enumerate(planes):
        total |= np.unpackbits(plane, count=count).astype(np.int64) << bit
    if signed:
        top = len(planes) - 1
        total -= (total >> top & 1) << (top + 1)
    return torch.from_numpy(total.reshape(shape))


def check_planes(
    name: str, array: np.ndarray, shape: tuple[int, ...], *, bits: int | None = None
) -> None:
    """Check that `array` is what `to_planes` returns for `shape`, of `bits` or up to `WIDEST` bits.

    Raises
    ------
    RefusedError
        If it is not.
    """
    require(array.dtype == np.uint8, name, "uint8", str(array.dtype)[:100], Code.DTYPE)
    size = -(-int(np.prod(shape)) // 8)
    high = array.shape[0] if array.ndim == 2 else 0
    fits = array.ndim == 2 and array.shape[1] == size
    fits = fits and (high == bits if bits else 1 <= high <= WIDEST)
    wanted = f"shape ({bits or f'1 to {WIDEST}'}, {size})"
    require(fits, name, wanted, str(array.shape)[:100], Code.SHAPE)
