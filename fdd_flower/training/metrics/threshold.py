"""A threshold for a wanted recall or precision of the positive class of two."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
import torch

from fdd_flower.rng import stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """From which probability on a record is called positive, and what that gives.

    Attributes
    ----------
    value
        nan: no threshold does what was asked for, and no other number is defined.
    recall, precision
        On test records that did not choose it; so is `called`, the share that is called positive.
    rows
        How many synthetic rows chose it; 0: test records did.
    chosen_on, records
        How many test records chose it, and how many others it was measured on.
    """

    value: float
    recall: float
    precision: float
    called: float
    rows: int
    chosen_on: int
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
) -> Threshold:
    """Return the threshold that synthetic rows choose, measured on all test records.

    Parameters
    ----------
    score, own
        (n,) of the test records.
    recall, precision
        Which one is wanted: the other is 0.
    """
    value = rows.choose(recall=recall, precision=precision)
    return _measured(value, score, own, rows=len(rows.score), chosen_on=0)


def find_threshold(
    score: np.ndarray, own: np.ndarray, *, recall: float, precision: float, seed: int
) -> Threshold:
    """Return the threshold that half of the records choose, measured on the other half.

    The halves have as many records of the class, to one, and are drawn from a stream of `seed`.

    Parameters
    ----------
    score, own
        (n,) the probability of the positive class, and whether a record is of it.
    recall, precision
        Which one is wanted: the other is 0.
    """
    chosen = _half(own, seed)
    value = choose(score[chosen], own[chosen], recall=recall, precision=precision)
    return _measured(value, score[~chosen], own[~chosen], rows=0, chosen_on=int(chosen.sum()))


def _measured(
    value: float, score: np.ndarray, own: np.ndarray, *, rows: int, chosen_on: int
) -> Threshold:
    called, defined = score >= value, not math.isnan(value)
    right = int((called & own).sum())
    return Threshold(
        value=value,
        recall=right / own.sum() if defined and own.any() else math.nan,
        precision=right / called.sum() if called.any() else math.nan,
        called=float(called.mean()) if defined and len(own) else math.nan,
        rows=rows,
        chosen_on=chosen_on,
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


def _half(own: np.ndarray, seed: int) -> np.ndarray:
    """Return a mask of half of the records of the class, and half of all others."""
    rng, mask = stream(seed, "evaluation", "threshold"), np.zeros(len(own), dtype=bool)
    for places in (np.flatnonzero(own), np.flatnonzero(~own)):
        order = torch.randperm(len(places), generator=rng).numpy()
        mask[places[order[: len(places) // 2]]] = True
    return mask
