"""A threshold for a wanted recall or precision of the positive class of two."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """From which probability on a record is called positive, and what that gives.

    Attributes
    ----------
    recall, precision
        On all test records; so is `called`, the share that is called positive.
    rows
        How many synthetic rows chose it.
    records
        How many test records it was measured on.
    """

    value: float
    recall: float
    precision: float
    called: float
    rows: int
    records: int

    def as_dict(self) -> dict[str, float]:
        """Return all of it by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choosing:
    """What chooses a threshold: rows, each by a model that was not trained on it.

    Attributes
    ----------
    score, own, weights
        (n,) the probability of the positive class, the share of the row that is of it, and what
        the row weighs.
    """

    score: np.ndarray
    own: np.ndarray
    weights: np.ndarray

    def choose(self, *, recall: float, precision: float) -> float:
        """Return the threshold; a row of both classes counts as one of each, by its shares."""
        held = np.concatenate([self.weights * self.own, self.weights * (1 - self.own)])
        score, own = np.tile(self.score, 2), np.repeat([True, False], len(self.score))
        used = held > 0
        return choose(
            score[used], own[used], recall=recall, precision=precision, weights=held[used]
        )


def threshold_of_rows(
    rows: Choosing, score: np.ndarray, own: np.ndarray, *, recall: float, precision: float
) -> Threshold | None:
    """Return the threshold that synthetic rows choose, measured on all test records.

    None where no threshold does on the rows what is wanted.

    Parameters
    ----------
    score, own
        (n,) of the test records: the probability of the positive class, and whether a record is
        of it.
    recall, precision
        Which one is wanted: the other is 0.
    """
    value = rows.choose(recall=recall, precision=precision)
    if math.isnan(value):
        return None
    called = score >= value
    right = int((called & own).sum())
    return Threshold(
        value=value,
        recall=right / own.sum() if own.any() else math.nan,
        precision=right / called.sum() if called.any() else math.nan,
        called=float(called.mean()) if len(own) else math.nan,
        rows=len(rows.score),
        records=len(own),
    )


def choose(
    score: np.ndarray,
    own: np.ndarray,
    *,
    recall: float,
    precision: float,
    weights: np.ndarray | None = None,
) -> float:
    """Return the highest threshold of at least `recall`, or the lowest of at least `precision`.

    nan where there is none: no record is of the class, a score is not finite, or no threshold is
    as precise.
    """
    from sklearn.metrics import precision_recall_curve

    if not own.any() or not np.isfinite(score).all():
        return math.nan
    precisions, recalls, values = precision_recall_curve(own, score, sample_weight=weights)
    reached = recalls[:-1] >= recall if recall else precisions[:-1] >= precision
    if not reached.any():
        return math.nan
    # values ascend, and recall falls with them
    return float(values[reached][-1 if recall else 0])
