"""Metrics for people: their names, and the one that a run shows first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from fdd_flower.report.units import human_number, human_share
from fdd_flower.run_folder.rows import RoundRow, Summary

NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "auroc": "AUROC",
    "average_precision": "average precision",
    "brier": "Brier score",
    "ece": "calibration error",
    "majority": "majority guess",
}
MEANINGS = {
    "accuracy": "share of right answers",
    "balanced_accuracy": "mean over the classes of the share of each that is found",
    "macro_f1": "mean over the classes of precision and recall as one number; 1 is best",
    "auroc": "how well records are put in order, by class and averaged: 0.5 is a guess, 1 is best",
    "average_precision": "mean precision over all recalls: a guess gives the share of the class",
    "brier": "mean squared error of the probabilities: 0 is best",
    "ece": "how far probabilities are from frequencies: 0 is best",
    "majority": "accuracy of always saying the most frequent class",
}
CLASS_NAMES = {
    "precision": "precision",
    "f1": "F1",
    "auroc": "AUROC",
    "average_precision": "average precision",
    "records": "records",
}
_OF_A_THRESHOLD = ("recall", "precision", "called")
GROUP_METRICS = ("accuracy", "balanced_accuracy", "auroc", "majority")
LOWER = {"brier", "ece"}  # the lower, the better
SHARES = {"accuracy", "balanced_accuracy", "majority"}  # shown in percent


def human_metric(name: str, value: float) -> str:
    """Return the value of a metric: shares of records in percent, all else as a number.

    >>> human_metric("accuracy", 0.5), human_metric("auroc", 0.5)
    ('50.0%', '0.500')
    """
    return human_share(value) if name in SHARES else human_number(value)


def human_column(name: str, value: float) -> str:
    """Return a value of a class or group: a count of records as such, all else as a metric."""
    if name == "records":
        return f"{value:.0f}" if math.isfinite(value) else human_number(value)
    return human_metric(name, value)


def value_of(found: Summary | RoundRow, metric: str) -> float:
    """Return a metric of a run or round; nan where it was not measured."""
    if metric == "accuracy":
        return found.accuracy
    return found.metrics.get(metric, math.nan)


def headline_of(summary: Summary) -> str:
    """Return the metric that a run shows first; accuracy for one from before there were others."""
    return summary.metric if summary.metric in NAMES else "accuracy"


def shown_first(metric: str) -> list[str]:
    """Return `metric`, and accuracy after it; accuracy alone where it is the one."""
    return list(dict.fromkeys((metric, "accuracy")))


def common_headline(summaries: Iterable[Summary]) -> str:
    """Return the metric that all these runs show first; accuracy where they differ."""
    found = {headline_of(one) for one in summaries}
    return found.pop() if len(found) == 1 else "accuracy"


def first_metrics(summary: Summary) -> list[tuple[str, str]]:
    """Return the name and value of the metric that is shown first, and of accuracy after it."""
    return [
        (NAMES[name], human_metric(name, value_of(summary, name)))
        for name in shown_first(headline_of(summary))
    ]


def headline_words(summary: Summary) -> str:
    """Return the name and value of the metric that a run shows first, in words."""
    name, value = first_metrics(summary)[0]
    return f"{name} {value}"


def threshold_words(found: Mapping[str, float]) -> str:
    """Return what a threshold of `Summary.thresholds` is, and gives."""
    share = {name: human_share(found.get(name, math.nan)) for name in _OF_A_THRESHOLD}
    return (
        f"{found['value']:.4g}: recall {share['recall']}, precision {share['precision']}, "
        f"{share['called']} of the records called positive"
    )


def metric_lines(metrics: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return the name and value of all metrics that are known, in the order of `NAMES`."""
    return [(NAMES[name], human_metric(name, metrics[name])) for name in NAMES if name in metrics]
