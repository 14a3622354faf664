"""What a picture of a classifier needs: confusion, reliability, ROC and precision-recall curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fdd_flower.training.metrics.scores import (
    ClassMetrics,
    Reliability,
    confusion,
    per_class,
    reliability,
)

MOST_CLASSES = 10  # with curves of their own
POINTS = 200  # of a curve, at most
_DIGITS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A class against the rest.

    Attributes
    ----------
    label
        The class, counted from 0.
    auroc, average_precision
        Of all points, of which the curves keep some.
    roc
        False positive rates and recalls, ascending.
    precision
        Recalls, ascending, and the precision at each.
    """

    label: int
    auroc: float
    average_precision: float
    roc: tuple[tuple[float, ...], tuple[float, ...]]
    precision: tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """How a classifier answers, without a record of its own in it.

    Attributes
    ----------
    positive
        The class that is meant, of two; 1 else.
    confusion
        (k, k): how many records of each class (rows) are taken for each (columns).
    curves
        Of the positive class; of more than two, of each, or of the ten with the lowest AUROC.
    """

    positive: int
    confusion: tuple[tuple[int, ...], ...]
    reliability: Reliability
    curves: tuple[Curve, ...]


def answers(
    probabilities: np.ndarray,
    labels: np.ndarray,
    *,
    positive: int = 1,
    each: Sequence[ClassMetrics] | None = None,
) -> Answers:
    """Return how a classifier answers.

    Parameters
    ----------
    probabilities, labels, each
        As `measure` takes them.
    """
    each = each or per_class(probabilities, labels)
    defined = [c for c, one in enumerate(each) if one.auroc == one.auroc]
    if len(each) == 2:
        shown: Sequence[int] = [c for c in defined if c == positive]
    else:
        shown = sorted(sorted(defined, key=lambda c: each[c].auroc)[:MOST_CLASSES])
    return Answers(
        positive=positive,
        confusion=tuple(tuple(row) for row in confusion(probabilities, labels).tolist()),
        reliability=reliability(probabilities, labels, positive=positive),
        curves=tuple(_curve(c, each[c], probabilities[:, c], labels == c) for c in shown),
    )


def _curve(label: int, numbers: ClassMetrics, score: np.ndarray, own: np.ndarray) -> Curve:
    from sklearn.metrics import precision_recall_curve, roc_curve

    wrong, found, _ = roc_curve(own, score)
    precision, recall, _ = precision_recall_curve(own, score, drop_intermediate=True)
    return Curve(
        label=label,
        auroc=numbers.auroc,
        average_precision=numbers.average_precision,
        roc=_thinned(wrong, found),
        precision=_thinned(recall[::-1], precision[::-1]),
    )


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return at most `POINTS` points of a curve, evenly spaced along it, its ends among them."""
    if len(x) > POINTS:
        along = np.concatenate([[0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
        kept = np.unique(np.searchsorted(along, np.linspace(0, along[-1], POINTS)))
        kept[-1] = len(x) - 1
        x, y = x[kept], y[kept]
    return tuple(x.round(_DIGITS).tolist()), tuple(y.round(_DIGITS).tolist())
