"""What accuracy to expect of a private run: what was measured on similar data, and only a hint.

What counts is the noise on one entry of a class's mean, for records of norm 1: fewer records of a
class are like a smaller epsilon. Between two measured points a figure is interpolated in the
logarithm of the noise; beyond them the nearest is a bound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

MEASURED_IN = "benchmarks/results/privacy.md"
# noise multipliers of one release at delta 1e-5
_SIGMA = {10.0: 0.5, 1.0: 3.731, 0.2: 16.31}
_NEAREST = 2  # data sets that are named


@dataclass(frozen=True, slots=True)
class Measured:
    """Accuracies of one client on one data set, by epsilon, from 0 to 1."""

    data: str
    records: int
    classes: int
    accuracy: Mapping[float, float]

    def points(self) -> list[tuple[float, float]]:
        """Return noise on an entry of a class's mean and accuracy, the least noise first."""
        each = self.classes / self.records
        return sorted((_SIGMA[epsilon] * each, found) for epsilon, found in self.accuracy.items())


# `quadratic` with dp-moments, the model of `auto` with dp-dm: what docs/privacy.md advises
MEASURED: Mapping[str, tuple[Measured, ...]] = {
    "dp-moments": (
        Measured("wine, a table", 113, 3, {10.0: 1.0, 1.0: 0.414}),
        Measured("breast-cancer, a table", 364, 2, {10.0: 1.0, 1.0: 0.956}),
        Measured("digits, images of 8x8", 1_149, 10, {10.0: 0.927, 1.0: 0.608}),
        Measured("HAPT, series", 7_100, 12, {10.0: 0.904, 1.0: 0.788}),
        Measured("Fashion-MNIST, images", 60_000, 10, {10.0: 0.850, 1.0: 0.837, 0.2: 0.792}),
        Measured("CIFAR-10, images in colour", 50_000, 10, {10.0: 0.507, 1.0: 0.366}),
    ),
    "dp-dm": (
        Measured("wine, a table", 113, 3, {10.0: 1.0, 1.0: 0.862}),
        Measured("breast-cancer, a table", 364, 2, {10.0: 0.956, 1.0: 0.967}),
        Measured("digits, images of 8x8", 1_149, 10, {10.0: 0.878, 1.0: 0.799}),
        Measured("HAPT, series", 7_100, 12, {10.0: 0.641, 1.0: 0.632}),
    ),
}


def expected(mode: str, noise: float, classes: int) -> list[dict[str, object]]:
    """Return what was measured on the data sets that are nearest.

    Parameters
    ----------
    noise
        Standard deviation of the noise on one entry of a class's mean, above 0.
    classes
        Nearest are those with as many classes, and then those with as much noise.

    Returns
    -------
    `data`, `records` and `classes` of each; `accuracy`, from 0 to 1, with `is` one of `about`,
    `below` (there is more noise than was measured) and `above`. Empty for a mode without figures.
    """

    def apart(one: Measured) -> tuple[float, float]:
        noises = [math.log(noise / measured) for measured, _ in one.points()]
        beyond = 0.0 if min(noises) <= 0 <= max(noises) else min(map(abs, noises))
        return abs(math.log(classes / one.classes)), beyond

    found: list[dict[str, object]] = []
    for one in sorted(MEASURED.get(mode, ()), key=apart)[:_NEAREST]:
        is_, accuracy = _at(one, noise)
        whose = {"data": one.data, "records": one.records, "classes": one.classes}
        found.append(whose | {"is": is_, "accuracy": accuracy})
    return found


def _at(one: Measured, noise: float) -> tuple[str, float]:
    points = one.points()
    if noise < points[0][0]:
        return "above", points[0][1]
    for (low, best), (high, worst) in pairwise(points):
        if noise <= high:
            share = math.log(noise / low) / math.log(high / low)
            return "about", best + share * (worst - best)
    return "below", points[-1][1]
