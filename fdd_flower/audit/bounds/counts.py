"""Right and wrong guesses of many independent trials, and the epsilon that they rule out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import beta, norm


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How often an attack said "member" and "not a member", and how often it was right."""

    true_positives: int
    false_negatives: int
    false_positives: int
    true_negatives: int

    @classmethod
    def at(cls, scores: np.ndarray, member: np.ndarray, threshold: float) -> Counts:
        """Count the guesses "a member, if the score is at least `threshold`".

        Parameters
        ----------
        scores, member
            (n,): higher is more likely a member; whether it was one.
        """
        said = scores >= threshold
        return cls(
            true_positives=int((said & member).sum()),
            false_negatives=int((~said & member).sum()),
            false_positives=int((said & ~member).sum()),
            true_negatives=int((~said & ~member).sum()),
        )

    @property
    def members(self) -> int:
        """Trials in which the record was a member."""
        return self.true_positives + self.false_negatives

    @property
    def others(self) -> int:
        """Trials in which it was not."""
        return self.false_positives + self.true_negatives


def epsilon_at_least(counts: Counts, *, delta: float, confidence: float = 0.95) -> float:
    """Return an epsilon that any (epsilon, delta)-DP mechanism with these counts exceeds.

    Clopper-Pearson bounds of both rates (Jagielski et al. 2020, arXiv:2006.07709), each at half
    of the error: epsilon >= ln((1 - delta - FNR) / FPR), and the same with the two swapped.
    """
    fpr, fnr = _upper_rates(counts, confidence)
    pairs = ((fpr, fnr), (fnr, fpr))
    return max(0.0, *(math.log((1 - delta - b) / a) for a, b in pairs if 1 - delta - b > 0))


def mu_at_least(counts: Counts, *, confidence: float = 0.95) -> float:
    """Return a mu that any mu-GDP mechanism with these counts exceeds.

    A mu-GDP mechanism (Dong, Roth, Su 2019, arXiv:1905.02383) has FNR >= Phi(Phi^-1(1 - FPR) - mu),
    so mu >= Phi^-1(1 - FPR) - Phi^-1(FNR) (Nasr et al. 2023, arXiv:2302.07956). What a mechanism
    claims to be is tested; of what it is, nothing is assumed.
    """
    fpr, fnr = _upper_rates(counts, confidence)
    return max(0.0, float(norm.isf(fpr) - norm.ppf(fnr)))


def epsilon_of_mu(mu: float, *, delta: float) -> float:
    """Return the epsilon of a mu-GDP mechanism at `delta` > 0.

    delta = Phi(mu/2 - epsilon/mu) - exp(epsilon) Phi(-mu/2 - epsilon/mu) (arXiv:1905.02383).
    """
    if mu <= 0 or delta_of_mu(mu, epsilon=0.0) <= delta:
        return 0.0
    high = 1.0
    while delta_of_mu(mu, epsilon=high) > delta:
        high *= 2
    return float(brentq(lambda e: delta_of_mu(mu, epsilon=e) - delta, 0.0, high, xtol=1e-9))  # pyright: ignore[reportArgumentType]


def delta_of_mu(mu: float, *, epsilon: float) -> float:
    """Return the delta of a mu-GDP mechanism, mu > 0, at `epsilon`."""
    tail = epsilon + norm.logcdf(-mu / 2 - epsilon / mu)
    return float(norm.cdf(mu / 2 - epsilon / mu) - math.exp(min(tail, 0.0)))


def best_threshold(scores: np.ndarray, member: np.ndarray) -> float:
    """Return the threshold with the largest mu by counts, to be used on other trials than these."""
    picks = np.unique(np.quantile(scores, np.linspace(0.02, 0.98, 49)))
    found = [mu_at_least(Counts.at(scores, member, pick)) for pick in picks]
    return float(picks[int(np.argmax(found))])


def _upper_rates(counts: Counts, confidence: float) -> tuple[float, float]:
    """Return upper bounds of the false positive and of the false negative rate."""
    each = 1 - (1 - confidence) / 2
    return (
        _upper(counts.false_positives, counts.others, each),
        _upper(counts.false_negatives, counts.members, each),
    )


def _upper(hits: int, trials: int, confidence: float) -> float:
    """Return the one-sided upper bound of Clopper and Pearson."""
    return 1.0 if hits >= trials else float(beta.ppf(confidence, hits + 1, trials - hits))
