"""Which metric comes first, and which of two classes it is about."""

import numpy as np
import pytest

from fdd_flower.config import EvaluationConfig
from fdd_flower.errors import ConfigError
from fdd_flower.training.metrics import headline


def labels(*counts: int) -> np.ndarray:
    return np.repeat(np.arange(len(counts)), counts)


@pytest.mark.parametrize(
    ("counts", "metric", "positive"),
    [
        ((50, 50), "accuracy", 1),
        ((66, 34), "accuracy", 1),
        ((34, 66), "accuracy", 1),
        ((67, 33), "balanced_accuracy", 1),
        ((20, 80), "balanced_accuracy", 1),
        ((81, 19), "auroc", 1),
        ((19, 81), "auroc", 0),
        ((0, 9), "accuracy", 1),
        ((10, 10, 10), "accuracy", 1),
        ((10, 20, 10), "accuracy", 1),
        ((10, 21, 10), "balanced_accuracy", 1),
        ((1, 99, 1), "balanced_accuracy", 1),
        ((10, 0, 12), "accuracy", 1),
    ],
)
def test_auto_follows_the_test_records(counts: tuple[int, ...], metric: str, positive: int):
    found = headline(EvaluationConfig(), [str(c) for c in range(len(counts))], labels(*counts))
    assert (found.metric, found.positive) == (metric, positive)


def test_what_is_named_comes_first():
    cfg = EvaluationConfig(metric="brier", positive="no")
    found = headline(cfg, ("no", "yes"), labels(90, 10))
    assert (found.metric, found.positive) == ("brier", 0)


@pytest.mark.parametrize(
    ("cfg", "classes"),
    [
        (EvaluationConfig(recall=0.9), ("a", "b", "c")),
        (EvaluationConfig(precision=0.9), ("a", "b", "c")),
        (EvaluationConfig(recall=0.9, precision=0.5), ("a", "b")),
    ],
)
def test_a_threshold_parts_two_classes_by_one_number(cfg, classes):
    with pytest.raises(ConfigError, match=r"evaluation\.(recall|precision): expected 0"):
        headline(cfg, classes, labels(5, 5, 5)[: 5 * len(classes)])


@pytest.mark.parametrize("classes", [("no", "yes"), ("a", "b", "c")])
def test_a_positive_class_is_one_of_two(classes: tuple[str, ...]):
    with pytest.raises(ConfigError, match=r"evaluation\.positive"):
        headline(EvaluationConfig(positive="maybe"), classes, labels(5, 5, 5)[: 5 * len(classes)])
