"""What the counts of an attack make probable about epsilon."""

from __future__ import annotations

import numpy as np
from scipy.stats import beta

from fdd_flower.audit.bounds.counts import Counts

STEPS = 1000  # of each posterior, in equal probability


def epsilon_interval(
    counts: Counts, *, delta: float, credibility: float = 0.95
) -> tuple[float, float]:
    """Return the equal-tailed credible interval of epsilon.

    The rates of false positives and negatives have independent Beta posteriors, from Jeffreys'
    priors; each pair of rates lies on the border of one (epsilon, delta) region (Zanella-Beguelin
    et al. 2023, arXiv:2206.05199). The posterior is summed over a fixed grid of equally probable
    rates: the same counts give the same interval.
    """
    places = (np.arange(STEPS) + 0.5) / STEPS
    fpr = beta.ppf(places, counts.false_positives + 0.5, counts.true_negatives + 0.5)
    fnr = beta.ppf(places, counts.false_negatives + 0.5, counts.true_positives + 0.5)
    found = epsilon_of_rates(fpr[:, None], fnr[None, :], delta=delta)
    tail = (1 - credibility) / 2
    low, high = np.quantile(found, [tail, 1 - tail])
    return float(low), float(high)


def epsilon_of_rates(fpr: np.ndarray, fnr: np.ndarray, *, delta: float) -> np.ndarray:
    """Return the smallest epsilon of the regions that hold the point (fpr, fnr), by Kairouz."""
    # an attack that is worse than chance is a good one turned round
    worse = fpr + fnr > 1
    low = np.where(worse, 1 - np.maximum(fpr, fnr), np.minimum(fpr, fnr))
    high = np.where(worse, 1 - np.minimum(fpr, fnr), np.maximum(fpr, fnr))
    return np.log(np.maximum(1 - delta - high, low) / low)
