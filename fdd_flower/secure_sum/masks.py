"""Masks in a ring of integers: added by clients, removed from the sum."""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from fdd_flower.errors import DistillError

RING = 40  # bits: sums are taken modulo 2^40
MODULUS = np.uint64(2**RING - 1)  # as a mask of bits


def stretched(seed: bytes, count: int) -> np.ndarray:
    """Return `count` numbers of the ring that nobody without `seed` (32 bytes) tells from chance.

    The key stream of ChaCha20 (RFC 8439), 8 bytes a number.
    """
    cipher = Cipher(ChaCha20(seed, bytes(16)), mode=None).encryptor()
    return np.frombuffer(cipher.update(bytes(8 * count)), dtype="<u8") & MODULUS


def most_of(clients: int) -> int:
    """Return what the numbers of each of so many clients must be below, for their sum to fit."""
    return 2 ** (RING - 1) // clients


def to_ring(values: np.ndarray, clients: int, *, largest: int | None = None) -> np.ndarray:
    """Return whole int64 `values` as numbers of the ring.

    Parameters
    ----------
    largest
        What none of them is beyond, where a refusal may not tell of them; None: they decide.

    Raises
    ------
    DistillError
        If the sum of `clients` such values might not fit.
    """
    most = most_of(clients)
    if largest is None:
        largest = max(int(values.max(initial=0)), -int(values.min(initial=0)))
    if largest >= most:
        raise DistillError(
            "a sum over this client's records",
            expected=f"less than {most} steps",
            got=largest,
            remedy="Split the records over more clients, or set sketch.secure-sum to false.",
        )
    return values.astype(np.uint64) & MODULUS


def from_ring(values: np.ndarray) -> np.ndarray:
    """Return numbers of the ring as int64, the upper half below 0."""
    signed = (values & MODULUS).astype(np.int64)
    return np.where(signed >> (RING - 1), signed - (1 << RING), signed)


def add(total: np.ndarray, values: np.ndarray, *, sign: int = 1) -> np.ndarray:
    """Return total + values, or total - values, in the ring; uint64 wraps as the ring does."""
    return (total + values if sign > 0 else total - values) & MODULUS
