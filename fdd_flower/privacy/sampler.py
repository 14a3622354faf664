"""The discrete Gaussian, exactly, many draws at once.

Rejection. The proposal is a sign and a number x = u + t v, where t = floor(sigma) + 1, u is uniform
below t, and v is the number of heads before the first tail: P(v) = 2^-(v + 1). It is kept with
probability

    p = 4/5 2^v exp(-x^2 / (2 sigma^2)),

which is below 1: the largest is 8/5 exp(-1/2), at v = 1. What is kept has probabilities in
proportion to exp(-x^2 / (2 sigma^2)); of the two signs of 0 one is dropped.

Whether a uniform w is below p is decided in double precision only where they are further apart than
`MARGIN`, thousands of times what rounding can be off by. The few others are decided with as many
digits, and as many further bits of w, as it takes: so no probability is rounded. Proposals of v
above 62, which would be kept with probabilities below 10^-800, are not.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from decimal import Context, Decimal
from fractions import Fraction

import numpy as np

MARGIN = 2.0**-40
AT_ONCE = 2**16  # proposals
MOST = 2**46  # steps of standard deviation: doubles hold the largest proposal
HEADS = 63  # v is below this

Words = Callable[[int], np.ndarray]  # of a count, so many uniform uint64


def system_words(count: int) -> np.ndarray:
    """Return `count` numbers uint64 from the operating system's secure generator."""
    return np.frombuffer(os.urandom(8 * count), dtype=np.uint64)


def draws(count: int, sigma: float, words: Words = system_words) -> np.ndarray:
    """Return `count` draws, int64.

    Parameters
    ----------
    sigma
        Standard deviation in steps, above 0, at most `MOST`.
    words
        Other than the operating system's in tests only.
    """
    found = [np.empty(0, dtype=np.int64)]
    left = count
    while left > 0:
        # one proposal in two is kept
        kept = _kept(min(AT_ONCE, 2 * left + 64), sigma, words)[:left]
        found.append(kept)
        left -= len(kept)
    return np.concatenate(found)


def largest(sigma: float) -> int:
    """Return the largest number that `draws` gives at `sigma`, and the negative of the least."""
    return HEADS * (int(sigma) + 1) - 1


def _kept(count: int, sigma: float, words: Words) -> np.ndarray:
    """Return those of `count` proposals that are kept, in order."""
    t = int(sigma) + 1
    first, second, third = (words(count) for _ in range(3))
    negative, coins = first & 1 > 0, first >> 1
    heads = np.frexp((coins & (~coins + 1)).astype(np.float64))[1].astype(np.int64) - 1
    uniform = (second >> 1).astype(np.int64)
    x = uniform % t + t * heads
    fair = (uniform < 2**63 // t * t) & (coins > 0) & ~(negative & (x == 0))
    w = (third >> 1).astype(np.int64)
    p = np.ldexp(0.8 * np.exp(-0.5 * np.square(x / sigma)), heads)
    apart = np.ldexp(w.astype(np.float64), -63) - p
    keep = fair & (apart < 0)
    for place in np.flatnonzero(fair & (np.abs(apart) <= MARGIN)):
        keep[place] = _below(int(w[place]), int(x[place]), int(heads[place]), sigma, words)
    return np.where(negative, -x, x)[keep]


def _below(w: int, x: int, heads: int, sigma: float, words: Words) -> bool:
    """Tell whether a uniform number, of which `w` are the first 63 bits, is below p."""
    exponent = -(Fraction(x) ** 2) / (2 * Fraction(sigma) ** 2)
    bits = 63
    while True:
        digits = bits // 3 + 30
        its = Context(prec=digits, Emin=-(10**9), Emax=10**9)
        power = its.exp(its.divide(Decimal(exponent.numerator), Decimal(exponent.denominator)))
        p = its.multiply(its.divide(Decimal(4 * 2**heads), Decimal(5)), power)
        # roundings spoil the last 5 digits of p at most, and the last of the bounds of w; it is
        # taken that they spoil 20, and 2
        off = its.multiply(p.copy_abs(), Decimal(10) ** (20 - digits))
        low, high = (its.divide(Decimal(n), Decimal(2**bits)) for n in (w, w + 1))
        spoilt = its.multiply(high, Decimal(10) ** (2 - digits))
        if its.add(high, spoilt) < its.subtract(p, off):
            return True
        if its.subtract(low, spoilt) > its.add(p, off):
            return False
        w, bits = w << 64 | int(words(1)[0]), bits + 64
