"""Metrics of a classifier: pure functions of probabilities (n, k) and labels (n,).

By scikit-learn, which is imported when a metric is asked for: a client asks for none. A number that
the records do not define is nan: the recall of a class that has no record, the AUROC of records of
one class. Means over classes are over those that have records.

A row of probabilities that is not finite, as a model gives whose training diverged, is an answer
like any other (the class of its first such entry) where classes are counted; where probabilities
are used the metric is nan.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

BINS = 10  # of a reliability diagram


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """How a classifier does on records; see `measure`.

    Attributes
    ----------
    accuracy, balanced_accuracy
        Share of right answers, and the mean of it over the classes: from 0 to 1.
    macro_f1
        Mean over the classes of the harmonic mean of precision and recall.
    auroc
        Area under the ROC curve: 0.5 is chance. Of more than two classes, the mean over the
        classes of each against the rest.
    average_precision
        Of the positive class; of more than two classes, the mean over the classes. Chance is the
        share of the class.
    brier
        Mean squared error of the probabilities: summed over the classes, and halved for two, so
        that it is from 0 to 1 for two classes and to 2 for more. Lower is better.
    ece
        Expected calibration error, from 0 to 1: how far probabilities are from frequencies, by
        `reliability`. Lower is better.
    majority
        The share of the most frequent class: what always guessing it would get right.
    records
        How many there are.
    """

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    auroc: float
    average_precision: float
    brier: float
    ece: float
    majority: float
    records: int

    def as_dict(self) -> dict[str, float]:
        """Return all of them by name."""
        return asdict(self)

    def beside_accuracy(self) -> dict[str, float]:
        """Return all but `accuracy` and `records`, which rows and summaries of a run have."""
        left_out = ("accuracy", "records")
        return {name: value for name, value in asdict(self).items() if name not in left_out}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassMetrics:
    """How a classifier does on one class against the rest; `recall` is the class's accuracy."""

    recall: float
    precision: float
    f1: float
    auroc: float
    average_precision: float
    records: int

    def as_dict(self) -> dict[str, float]:
        """Return all of them by name."""
        return asdict(self)


def measure(
    probabilities: np.ndarray,
    labels: np.ndarray,
    *,
    positive: int = 1,
    each: Sequence[ClassMetrics] | None = None,
) -> Metrics:
    """Return all metrics of a classifier.

    Parameters
    ----------
    probabilities
        (n, k), rows sum to 1; k from 2, n from 0.
    labels
        (n,), in [0, k).
    positive
        Of two classes the one whose average precision and calibration is meant.
    each
        What `per_class` returns of them, where that is known.
    """
    each = each or per_class(probabilities, labels)
    records, k = probabilities.shape
    meant = each[positive : positive + 1] if k == 2 else each
    held = [one for one in each if one.records]
    counts = np.bincount(labels, minlength=k)
    return Metrics(
        accuracy=_mean(predicted(probabilities) == labels),
        balanced_accuracy=_mean(one.recall for one in held),
        macro_f1=_mean(one.f1 for one in held),
        auroc=_mean(one.auroc for one in held),
        average_precision=_mean(one.average_precision for one in meant if one.records),
        brier=brier(probabilities, labels),
        ece=reliability(probabilities, labels, positive=positive).ece,
        majority=float(counts.max()) / records if records else math.nan,
        records=records,
    )


def per_class(probabilities: np.ndarray, labels: np.ndarray) -> list[ClassMetrics]:
    """Return the metrics of each class against the rest, in the order of the classes.

    Precision is nan for a class that is never predicted, and F1 is then 0.
    """
    from sklearn.metrics import precision_recall_fscore_support

    records, k = probabilities.shape
    if not records:
        none = math.nan
        return [
            ClassMetrics(
                recall=none, precision=none, f1=none, auroc=none, average_precision=none, records=0
            )
        ] * k
    undefined: Any = math.nan  # for scikit-learn's own, which says str
    found = precision_recall_fscore_support(
        labels, predicted(probabilities), labels=range(k), zero_division=undefined
    )
    precision, recall, f1, support = (np.asarray(values).tolist() for values in found)
    auroc, average_precision = _areas(probabilities, labels)
    return [
        ClassMetrics(
            recall=recall[c],
            precision=precision[c],
            f1=f1[c] if support[c] else math.nan,
            auroc=float(auroc[c]),
            average_precision=float(average_precision[c]),
            records=int(support[c]),
        )
        for c in range(k)
    ]


def _areas(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return AUROC and average precision of each class against the rest, (k,); nan: undefined."""
    from scipy.stats import rankdata
    from sklearn.metrics import average_precision_score

    records, k = probabilities.shape
    auroc, average_precision = np.full(k, math.nan), np.full(k, math.nan)
    if not np.isfinite(probabilities).all():
        return auroc, average_precision
    own = labels[:, None] == np.arange(k)
    held = own.sum(axis=0)
    # The AUROC is the statistic of Mann and Whitney over its largest value: all classes in one go.
    ranks = np.where(own, rankdata(probabilities, axis=0), 0).sum(axis=0)
    some = (held > 0) & (held < records)
    pairs = held * (records - held)
    auroc[some] = ((ranks - held * (held + 1) / 2)[some]) / pairs[some]
    columns = held > 0
    for_each: Any = None  # for scikit-learn's own, which says str
    if columns.sum() == 1:  # of records of one class, which are found whatever the model says
        average_precision[columns] = 1
    else:
        average_precision[columns] = average_precision_score(
            own[:, columns], probabilities[:, columns], average=for_each
        )
    return auroc, average_precision


def per_group(
    probabilities: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    names: Sequence[str],
    *,
    positive: int = 1,
) -> dict[str, Metrics]:
    """Return the metrics of each group that has records, by its name.

    Parameters
    ----------
    groups
        (n,), in [0, len(names)): the hospital, person or device that a record is of.
    """
    return {
        name: measure(probabilities[own], labels[own], positive=positive)
        for place, name in enumerate(names)
        if (own := groups == place).any()
    }


def predicted(probabilities: np.ndarray) -> np.ndarray:
    """Return the most probable class of each record, (n,)."""
    return probabilities.argmax(axis=1)


def confusion(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return how many records of each class (rows) are taken for each class (columns): (k, k)."""
    k = probabilities.shape[1]
    return np.bincount(labels * k + predicted(probabilities), minlength=k * k).reshape(k, k)


def brier(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the Brier score, as `sklearn.metrics.brier_score_loss` has it from 1.7 on."""
    k = probabilities.shape[1]
    squares = (probabilities - np.eye(k)[labels]) ** 2
    return _mean(squares.sum(axis=1)) / (2 if k == 2 else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """What was promised and what came, in bins of about as many records each.

    Attributes
    ----------
    probability
        Mean probability that the model gave, of each bin that has records, ascending.
    share
        How often it was right to.
    records
        Of each bin.
    """

    probability: tuple[float, ...]
    share: tuple[float, ...]
    records: tuple[int, ...]

    @property
    def ece(self) -> float:
        """The mean of |probability - share| over records; nan where there is no bin."""
        if not self.records:
            return math.nan
        apart = np.abs(np.subtract(self.probability, self.share))
        return float(np.average(apart, weights=self.records))


def reliability(
    probabilities: np.ndarray, labels: np.ndarray, *, positive: int = 1, bins: int = BINS
) -> Reliability:
    """Return how far probabilities are frequencies.

    Of two classes it is the probability of the positive one, else of the class that is predicted.
    The bins end at quantiles: of a rare class nearly all probabilities are small, and bins of equal
    width would have them all in one. Without bins where a probability is not finite.

    Source: Naeini, Cooper and Hauskrecht (AAAI 2015) for the error; bins of equal mass as in Nixon
    et al., arXiv:1904.01685.
    """
    binary = probabilities.shape[1] == 2
    score = probabilities[:, positive] if binary else probabilities.max(axis=1, initial=0)
    right = labels == (positive if binary else predicted(probabilities))
    if not len(score) or not np.isfinite(probabilities).all():
        return Reliability(probability=(), share=(), records=())
    edges = np.quantile(score, np.linspace(0, 1, bins + 1))
    place = np.searchsorted(edges[1:-1], score)
    count = np.bincount(place, minlength=bins)
    held = count > 0
    return Reliability(
        probability=tuple((np.bincount(place, score, bins)[held] / count[held]).tolist()),
        share=tuple((np.bincount(place, right, bins)[held] / count[held]).tolist()),
        records=tuple(count[held].tolist()),
    )


def _mean(values: Iterable[float] | np.ndarray) -> float:
    """Return the mean of some numbers; nan where there is none."""
    found = np.fromiter(values, dtype=np.float64)
    return float(found.mean()) if len(found) else math.nan
