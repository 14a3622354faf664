"""What accuracy to expect at an epsilon: measured, and only a hint for other data."""

from __future__ import annotations

import math
from itertools import pairwise

# docs/decisions/0010-private-moments.md
MEASURED_ON = (
    "Fashion-MNIST, 50,400 records, delta 1e-5, `quadratic` on 9,600 held-out training records"
)
RECORDS = 50_400
# dp-moments: accuracy by epsilon
_ACCURACY = {0.2: 0.789, 1.0: 0.840, 10.0: 0.852}


def expected_accuracy(mode: str, epsilon: float, records: int) -> float | None:
    """Return the accuracy to expect from `dp-moments`, from 0 to 1; None where none was measured.

    What counts is the noise on a mean, thus `epsilon * records`: fewer records are as a smaller
    epsilon. Between measured points it is interpolated in its logarithm; outside, None.
    """
    if mode != "dp-moments":
        return None
    like = epsilon * records / RECORDS
    points = sorted(_ACCURACY)
    for low, high in pairwise(points):
        if low <= like <= high:
            share = math.log(like / low) / math.log(high / low)
            return _ACCURACY[low] + share * (_ACCURACY[high] - _ACCURACY[low])
    return None
