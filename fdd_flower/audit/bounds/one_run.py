"""Epsilon from one run: how many of its guesses a private mechanism would have let be right."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import binom

SHARES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02)  # of the canaries that are guessed
MOST = 40.0  # an epsilon beyond all that so few canaries could show


def epsilon_at_least(
    scores: np.ndarray, member: np.ndarray, *, delta: float, confidence: float = 0.95
) -> float:
    """Return a lower bound of epsilon from the scores of coin-flip canaries in one release.

    The highest scores are guessed to be members and, in one half of the tests, as many of the
    lowest not to be. How many are guessed is not chosen by the outcome: each of the fixed `SHARES`
    is a test at its part of the error.

    Parameters
    ----------
    scores, member
        (m,): higher is more likely a member; the coin of each canary. Their order must not
        depend on the coins: ties are broken by it.

    References
    ----------
    Steinke, Nasr, Jagielski 2023, arXiv:2305.08846.
    """
    tests = list(guesses(scores, member))
    each = 1 - (1 - confidence) / len(tests)
    return max(
        epsilon_of_guesses(len(scores), made, right, delta=delta, confidence=each)
        for made, right in tests
    )


def guesses(scores: np.ndarray, member: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield for each test how many guesses are made, and how many of them are right."""
    order = np.argsort(-scores, kind="stable")
    for share in SHARES:
        half = max(1, round(share * len(scores) / 2))
        high = int(member[order[:half]].sum())
        yield half, high
        yield 2 * half, high + int((~member[order[-half:]]).sum())


def epsilon_of_guesses(
    canaries: int, made: int, right: int, *, delta: float, confidence: float = 0.95
) -> float:
    """Return the epsilon below which so many right guesses have probability 1 - `confidence`."""
    error = 1 - confidence

    def excess(epsilon: float) -> float:
        return p_value(canaries, made, right, epsilon=epsilon, delta=delta) - error

    if excess(0.0) >= 0:
        return 0.0
    if excess(MOST) <= 0:
        return MOST
    return float(brentq(excess, 0.0, MOST, xtol=1e-6))  # pyright: ignore[reportArgumentType]


def p_value(canaries: int, made: int, right: int, *, epsilon: float, delta: float) -> float:
    """Return the most probability that (epsilon, delta)-DP leaves to at least `right` of `made`.

    Theorem 5.2 of arXiv:2305.08846: a guess is right with probability e^epsilon / (1 + e^epsilon),
    and delta adds 2 m delta max_i P[right - i <= Binomial < right] / i.
    """
    sure = float(expit(epsilon))
    tail = float(binom.sf(right - 1, made, sure))
    if delta == 0:
        return min(1.0, tail)
    # pmf of right - 1, right - 2, ..., 0, summed
    below = np.cumsum(binom.pmf(np.arange(right - 1, -1, -1), made, sure))
    most = float((below / np.arange(1, right + 1)).max()) if right else 0.0
    return min(1.0, tail + 2 * canaries * delta * most)
