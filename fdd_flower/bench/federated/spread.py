"""A mean over seeds, and how far it may be off."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

LEVEL = 0.95


def interval(values: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean of `values` and half of its 95 % confidence interval, by Student's t.

    With one value there is no interval: None. It takes the values for draws from one normal
    distribution, so with two or three seeds it is wide.
    """
    mean = statistics.mean(values)
    if len(values) < 2:
        return mean, None
    from scipy.stats import t

    quantile = float(t.ppf((1 + LEVEL) / 2, len(values) - 1))
    return mean, quantile * statistics.stdev(values) / len(values) ** 0.5
