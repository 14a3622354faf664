"""A release on the wire: its low bits dropped, and always as many bytes.

What a client does with its sum, in this order, and why all of its noise reaches the server:

1. **Cut off the sum** (`held`), each number to an interval that leaves room for noise. This moves
   no two values of a number further apart, so a record moves no number by more than before: the
   sensitivity does not grow, whatever the spread of noise over numbers.
2. **Add noise.** The room is the largest number that the sampler gives. So noise is never cut off,
   and delta needs no share for it: neither a client's own noise nor its share of a sum's.
3. **Round** (`coarse`) to steps of 2^shift. Without a secure sum that is a function of what may
   leave. Behind one each client rounds before V, the total of records and noise over the clients,
   is taken; but what they round off is, given V, as good as drawn afresh. So the server learns no
   more than from V, whose noise is accounted (`noise.LEAST`).
4. **Add up**, behind a secure sum, in a ring with room for the numbers of all clients at their
   largest (`secure_sum.masks`): no total wraps.

Proof of 3. Given what each client rounds off, its number is a whole number of steps, and V is
their total. The probability of V and of what is rounded off is a sum over all such whole numbers.
Take one client after the other: completing the square leaves a factor that depends on totals
alone, and the sum of exp(-(k - c)^2 / (2 s^2)) over whole k, with some c. There 1 / s^2 is
1 / a^2 + 1 / b^2, with a the noise of the client and b that of those before it, each 2^`FINE`
steps or more: s^2 >= 32. By Poisson's summation formula this sum is s sqrt(2 pi), whatever c, up
to a factor of 1 +- 3 exp(-2 pi^2 s^2). So, given V, what is rounded off has the same probability
in all ways that V allows, whatever the records, up to a factor of 1 +- 10^-270 for each client and
number, where the sampler's range ends too: beyond it are less than 10^-800.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fdd_flower.privacy.sampler import largest
from fdd_flower.sketches.integers import from_planes, to_planes

BITS = 20  # of a number, its sign among them, or more
MOST_BITS = 32
FINE = 3  # the noise is at least 2^3 steps of what is sent: rounding adds a thousandth to it


@dataclass(frozen=True, slots=True)
class Coding:
    """How the numbers of a release are sent: public, as all that it follows from.

    Attributes
    ----------
    shift
        Low bits that are dropped.
    bits
        Bits that a number takes.
    room
        The largest noise that there can be, in steps of the grid.
    """

    shift: int
    bits: int
    room: int

    @property
    def end(self) -> int:
        """The largest number that is sent, and the negative of the least."""
        return 2 ** (self.bits - 1) - 1

    @property
    def limit(self) -> int:
        """Where a number of the sum is cut off, in steps of the grid."""
        return (self.end << self.shift) - self.room


def shift_of(sigma: float, unit: int, spread: Tensor) -> int:
    """Return how many low bits of a release are dropped: noise alone, and public."""
    return max(0, math.floor(math.log2(sigma * unit * float(spread.min()))) - FINE)


def room_of(sigma: float, unit: int, spread: Tensor) -> int:
    """Return the largest noise of a release that there can be, in steps of the grid."""
    return largest(sigma * float(spread.max()) * unit)  # rounded as `Mechanism` does


def bits_of(shift: int, unit: int, records: int, room: int) -> int:
    """Return how many bits a number takes, so that the sum over `records` of one class fits.

    None of them adds more than the unit to a number.
    """
    most = -(-records * unit >> shift) - (-room >> shift)
    return max(BITS, 1 + most.bit_length())


def held(total: Tensor, coding: Coding) -> Tensor:
    """Return a sum, int64, cut off so that it fits with any noise."""
    return total.clamp(-coding.limit, coding.limit)


def beyond(total: Tensor, coding: Coding) -> int:
    """Return how many numbers of a sum are cut off."""
    return int((total.abs() > coding.limit).sum())


def coarse(values: Tensor, shift: int) -> Tensor:
    """Return int64 `values` rounded to steps of 2^shift."""
    half = (1 << shift) >> 1
    return (values + half) >> shift


def near_end(values: Tensor, coding: Coding) -> int:
    """Return how many coarse values are so large that noise may hide that they were cut off.

    All that were are among them.
    """
    return int((values.abs() >= (coding.limit - coding.room) >> coding.shift).sum())


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
