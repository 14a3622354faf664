"""The metric that a run shows first, and which of two classes it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fdd_flower.config import EvaluationConfig
from fdd_flower.errors import ConfigError

RARE = 0.2  # with less than a fifth, who always says the other class is right over 80 % of the time
UNEVEN = 2.0  # a class has over twice the records of another


@dataclass(frozen=True, slots=True)
class Headline:
    """What is shown first.

    Attributes
    ----------
    metric
        A name of `Metrics`; never `auto`.
    positive
        The class, counted from 0, that is positive; 1 where there are more than two.
    """

    metric: str
    positive: int


def headline(cfg: EvaluationConfig, classes: Sequence[str], labels: np.ndarray) -> Headline:
    """Return what `cfg` asks for, or what suits test records with `labels`, (n,).

    Raises
    ------
    ConfigError
        If it names a class that is none of two, or asks for a threshold where there are more, or
        for two of them.
    """
    counts = np.bincount(labels, minlength=len(classes))
    _check_threshold(cfg, classes)
    return Headline(
        metric=suited(counts) if cfg.metric == "auto" else cfg.metric,
        positive=_positive(cfg.positive, classes, counts),
    )


def suited(counts: np.ndarray) -> str:
    """Return the metric for records of which each class has so many.

    Accuracy misleads where classes are uneven: always saying the largest class does well by it. Of
    two classes with a rare one even the threshold of 0.5 means little, so it is the order of the
    records that counts.
    """
    if len(counts) == 2 and _rare(counts):
        return "auroc"
    held = counts[counts > 0]
    uneven = len(held) > 0 and held.max() > UNEVEN * held.min()
    return "balanced_accuracy" if uneven else "accuracy"


def _rare(counts: np.ndarray) -> bool:
    return 0 < counts.min() < RARE * counts.sum()


def _check_threshold(cfg: EvaluationConfig, classes: Sequence[str]) -> None:
    if not cfg.recall and not cfg.precision:
        return
    key = "evaluation.recall" if cfg.recall else "evaluation.precision"
    if len(classes) != 2:
        raise ConfigError(
            key,
            expected=f"0 with {len(classes)} classes",
            got=cfg.recall or cfg.precision,
            remedy="Leave it at 0: a threshold parts two classes.",
        )
    if cfg.recall and cfg.precision:
        raise ConfigError(
            key,
            expected="0 beside an evaluation.precision",
            got=cfg.recall,
            remedy="Ask for one of the two: the other is what it gives.",
        )


def _positive(name: str, classes: Sequence[str], counts: np.ndarray) -> int:
    if not name:
        return int(counts.argmin()) if len(classes) == 2 and _rare(counts) else 1
    if len(classes) != 2:
        raise ConfigError(
            "evaluation.positive",
            expected=f"nothing with {len(classes)} classes",
            got=repr(name),
            remedy="Leave it empty: each class is measured against the rest.",
        )
    if name not in classes:
        raise ConfigError(
            "evaluation.positive",
            expected=f"one of {', '.join(classes)}",
            got=repr(name),
            remedy="Name the class as the data does.",
        )
    return list(classes).index(name)
