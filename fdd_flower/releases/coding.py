"""A release on the wire: its low bits dropped, and always as many bytes."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from fdd_flower.sketches.integers import from_planes, to_planes

BITS = 20  # of a number, its sign among them, or more: what is larger is cut off there
MOST_BITS = 32
FINE = 3  # the noise is at least 2^3 steps of what is sent: rounding adds a thousandth to it
NOISE = 2**10  # steps that noise is below: 64 times its standard deviation at least


def shift_of(sigma: float, unit: int, spread: Tensor) -> int:
    """Return how many low bits of a release are dropped: noise alone, and public."""
    return max(0, math.floor(math.log2(sigma * unit * float(spread.min()))) - FINE)


def bits_of(shift: int, unit: int, records: int) -> int:
    """Return how many bits a number takes, so that the sum over `records` of one class fits.

    Public, as all that it follows from. None of them adds more than the unit to a number.
    """
    most = (records * unit >> shift) + NOISE
    return max(BITS, 1 + most.bit_length())


def end_of(bits: int) -> int:
    """Return the largest number of so many bits, and the negative of the least."""
    return 2 ** (bits - 1) - 1


def coarse(values: Tensor, shift: int, bits: int = BITS) -> Tensor:
    """Return int64 `values` rounded to steps of 2^shift, cut off at what `bits` bits hold."""
    half = (1 << shift) >> 1
    return ((values + half) >> shift).clamp(-end_of(bits), end_of(bits))


def cut_off(values: Tensor, bits: int) -> int:
    """Return how many coarse values are at the end of what `bits` bits hold, or beyond it."""
    return int((values.abs() >= end_of(bits)).sum())


def pack(values: Tensor, bits: int = BITS) -> np.ndarray:
    """Return coarse values as uint8 planes, (bits, bytes)."""
    return to_planes(values, bits)


def unpack(planes: np.ndarray, size: int) -> Tensor:
    """Return the coarse values, int64 (size,), in what `pack` returned."""
    return from_planes(planes, (size,))


def payload_of(planes: np.ndarray) -> bytes:
    """Return planes as the bytes that a client keeps."""
    return planes.tobytes()


def planes_of(payload: bytes, bits: int = BITS) -> np.ndarray:
    """Return the planes in what `payload_of` returned."""
    return np.frombuffer(payload, np.uint8).reshape(bits, -1)


def units(values: Tensor, shift: int, unit: int) -> Tensor:
    """Return coarse values in units of a norm of 1: float64."""
    return torch.ldexp(values.double(), torch.tensor(float(shift))) / unit
