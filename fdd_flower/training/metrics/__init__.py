"""How good a classifier is: numbers, curves, the number that is shown first, a threshold."""

from fdd_flower.training.metrics.curves import Answers, Curve, answers
from fdd_flower.training.metrics.headline import Headline, headline
from fdd_flower.training.metrics.scores import (
    ClassMetrics,
    Metrics,
    Reliability,
    brier,
    confusion,
    measure,
    per_class,
    per_group,
    predicted,
    reliability,
)
from fdd_flower.training.metrics.threshold import (
    Choosing,
    Threshold,
    choose,
    threshold_of_rows,
)

__all__ = [
    "Answers",
    "Choosing",
    "ClassMetrics",
    "Curve",
    "Headline",
    "Metrics",
    "Reliability",
    "Threshold",
    "answers",
    "brier",
    "choose",
    "confusion",
    "headline",
    "measure",
    "per_class",
    "per_group",
    "predicted",
    "reliability",
    "threshold_of_rows",
]
