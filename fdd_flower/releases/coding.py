"""A release on the wire: its low bits dropped, and always as many bytes."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from fdd_flower.sketches.integers import from_planes, to_planes

BITS = 20  # of a number, its sign among them: what is larger is cut off there
FINE = 3  # the noise is at least 2^3 steps of what is sent: rounding adds a thousandth to it


def shift_of(sigma: float, unit: int, spread: Tensor) -> int:
    """Return how many low bits of a release are dropped: noise alone, and public."""
    return max(0, math.floor(math.log2(sigma * unit * float(spread.min()))) - FINE)


def coarse(values: Tensor, shift: int) -> Tensor:
    """Return int64 `values` rounded to steps of 2^shift, cut off at what `BITS` bits hold."""
    half = (1 << shift) >> 1
    most = 2 ** (BITS - 1) - 1
    return ((values + half) >> shift).clamp(-most, most)


def pack(values: Tensor) -> np.ndarray:
    """Return coarse values as uint8 planes, (BITS, bytes)."""
    return to_planes(values, BITS)


def unpack(planes: np.ndarray, size: int) -> Tensor:
    """Return the coarse values, int64 (size,), in what `pack` returned."""
    return from_planes(planes, (size,))


def payload_of(planes: np.ndarray) -> bytes:
    """Return planes as the bytes that a client keeps."""
    return planes.tobytes()


def planes_of(payload: bytes) -> np.ndarray:
    """Return the planes in what `payload_of` returned."""
    return np.frombuffer(payload, np.uint8).reshape(BITS, -1)


def units(values: Tensor, shift: int, unit: int) -> Tensor:
    """Return coarse values in units of a norm of 1: float64."""
    return torch.ldexp(values.double(), torch.tensor(float(shift))) / unit
