"""A mechanism against its own claim: canaries of full length, in everything that leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from fdd_flower.audit.bounds.counts import (
    Counts,
    best_threshold,
    epsilon_at_least,
    epsilon_of_mu,
    mu_at_least,
)
from fdd_flower.rng import numpy_stream

CONFIDENCE = 0.95
CLEAR = 4.0  # standard errors from which on a column of an answer is said to tell anything

# which classes hold their one record, bool (k,) -> all that leaves under one charge, by name
Answer = Callable[[np.ndarray], Mapping[str, np.ndarray]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a mechanism says of itself, for one record added or removed.

    Attributes
    ----------
    mu
        Of the Gaussian mechanism (mu-GDP) that it says it is: sensitivity over noise, for all
        releases together. None: it claims no more than epsilon and delta.
    """

    epsilon: float
    delta: float
    mu: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MechanismAudit:
    """What a mechanism's answers show.

    Attributes
    ----------
    trials
        Canaries by whose answers epsilon was bounded.
    epsilon
        The lower bound, at the delta of the claim.
    mu
        The same of a Gaussian mechanism; None where none is claimed.
    counts
        Right and wrong guesses.
    broken
        The bound is above the claim: with a mechanism as claimed, one audit in twenty says so.
    """

    trials: int
    epsilon: float
    mu: float | None
    counts: Counts
    broken: bool


def audit_mechanism(
    answer: Answer, claim: Claim, *, classes: int, calls: int = 2, seed: int
) -> MechanismAudit:
    """Ask a mechanism about classes of one record or none, and guess which.

    Each class is a pair of neighbouring data sets of its own, so that one answer is many trials.
    A canary must be the longest vector that the mechanism lets through: only then is the
    sensitivity tested. Half of the calls teach which numbers of an answer tell, how strongly, and
    where the threshold lies; the guesses of the other half are counted.

    Trials of one answer count as independent, as they are where each class has noise of its own.

    Parameters
    ----------
    answer
        The mechanism, with its canaries.
    classes
        How many each answer is about. An array with so many rows has one a class; any other, as
        well as every array if there is one class, is read as a whole.
    calls
        An even number.
    """
    rng = numpy_stream(seed, "audit", "mechanism")
    coins = rng.random((calls, classes)) < 0.5
    seen = [_table(answer(coin), classes) for coin in coins]
    half = calls // 2
    known, coin = np.concatenate(seen[:half]), coins[:half].ravel()
    weights = told_by(known, coin)
    threshold = best_threshold(known @ weights, coin)
    scores = np.concatenate(seen[half:]) @ weights
    counts = Counts.at(scores, coins[half:].ravel(), threshold)
    mu = None if claim.mu is None else mu_at_least(counts, confidence=CONFIDENCE)
    if mu is None:
        epsilon = epsilon_at_least(counts, delta=claim.delta, confidence=CONFIDENCE)
        broken = epsilon > claim.epsilon
    else:
        epsilon = epsilon_of_mu(mu, delta=claim.delta)
        assert claim.mu is not None
        broken = mu > claim.mu or epsilon > claim.epsilon
    return MechanismAudit(trials=len(scores), epsilon=epsilon, mu=mu, counts=counts, broken=broken)


def told_by(table: np.ndarray, coin: np.ndarray) -> np.ndarray:
    """Return weights of the columns that tell the coins apart, (w,).

    Fisher's discriminant with a diagonal covariance, over the columns whose means differ by `CLEAR`
    standard errors; if none does, the one that differs most.

    Parameters
    ----------
    table, coin
        (n, w) and bool (n,).
    """
    inside, outside = table[coin], table[~coin]
    apart = inside.mean(0) - outside.mean(0)
    variance = (inside.var(0) * len(inside) + outside.var(0) * len(outside)) / len(table)
    # a column without noise tells all, and must not divide by zero
    variance = np.maximum(variance, 1e-12 * np.maximum(1.0, np.square(apart)))
    error = np.sqrt(variance * (1 / len(inside) + 1 / len(outside)))
    clear = np.abs(apart) / error
    use = clear >= min(CLEAR, clear.max())
    return np.where(use, apart / variance, 0.0)


def _table(answer: Mapping[str, np.ndarray], classes: int) -> np.ndarray:
    """Return an answer as a table with a row a class, (classes, w)."""
    columns = []
    for name in sorted(answer):
        array = np.asarray(answer[name], dtype=np.float64)
        if array.ndim and len(array) == classes:
            columns.append(array.reshape(classes, -1))
        elif classes == 1:
            columns.append(array.reshape(1, -1))
    return np.concatenate(columns, axis=1)
