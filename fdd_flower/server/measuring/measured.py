"""What a run says of its models: the metrics of rows and summary, the words of the log."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fdd_flower.config import EvaluationConfig
from fdd_flower.data.base import Split
from fdd_flower.device import on_host
from fdd_flower.report.headline import NAMES
from fdd_flower.server.measuring.thresholds import OTHERWISE, wanted
from fdd_flower.training.evaluation import Evaluation
from fdd_flower.training.metrics import (
    Answers,
    Choosing,
    ClassMetrics,
    Threshold,
    answers,
    headline,
    measure,
    per_class,
    per_group,
    threshold_of_rows,
)
from fdd_flower.wording import many


class Measured:
    """Measures models on the server's test records.

    Parameters
    ----------
    test
        The records.
    group_names
        Of `test.groups`.

    Raises
    ------
    ConfigError
        If the settings do not fit the records.
    """

    def __init__(self, cfg: EvaluationConfig, test: Split, group_names: tuple[str, ...]) -> None:
        self.cfg = cfg
        self.classes, self.group_names = test.classes, group_names
        self._last: tuple[Evaluation, list[ClassMetrics]] | None = None
        self.groups = None if test.groups is None else on_host(test.groups).numpy()
        self.headline = headline(cfg, test.classes, on_host(test.labels).numpy())

    def metrics(self, found: Evaluation) -> dict[str, float]:
        """Return the metrics that stand beside accuracy, by name."""
        measured = measure(
            found.probabilities,
            found.labels,
            positive=self.headline.positive,
            each=self._per_class(found),
        )
        return measured.beside_accuracy()

    def _per_class(self, found: Evaluation) -> list[ClassMetrics]:
        """Return the metrics of each class; worked out once of what is asked again and again."""
        if self._last is None or self._last[0] is not found:
            self._last = found, per_class(found.probabilities, found.labels)
        return self._last[1]

    def answers(self, found: Evaluation) -> Answers:
        """Return how a model answers, for pictures."""
        return answers(
            found.probabilities,
            found.labels,
            positive=self.headline.positive,
            each=self._per_class(found),
        )

    def words(self, accuracy: float, metrics: Mapping[str, float]) -> str:
        """Return the metric that is shown first and accuracy, for a line of the log."""
        name = self.headline.metric
        first = "" if name == "accuracy" else f"{NAMES[name]} {metrics[name]:.4f}, "
        return f"{first}accuracy {accuracy:.4f}"

    def threshold(self, found: Evaluation, rows: Choosing) -> Threshold | None:
        """Return the threshold that `rows` choose for what is asked; None: none does it on them."""
        own = found.labels == self.headline.positive
        score = found.probabilities[:, self.headline.positive]
        recall, precision = self.cfg.recall, self.cfg.precision
        return threshold_of_rows(rows, score, own, recall=recall, precision=precision)

    def summary(
        self,
        name: str,
        last: Evaluation | None,
        others: Mapping[str, Evaluation],
        rows: Mapping[str, Choosing | str] | None = None,
    ) -> dict[str, Any]:
        """Return the fields of a `Summary` that say how good models are.

        Parameters
        ----------
        name
            Of the global model.
        last
            Of it; None where no round finished.
        others
            Of `server.models`.
        rows
            By model, what chooses its threshold, or why nothing does; empty: none is asked for.
        """
        found: dict[str, Any] = {
            "metric": self.headline.metric,
            "accuracy": math.nan,
            "accuracy_per_class": (),
            "accuracy_by_model": {name: one.accuracy for name, one in others.items()},
            "metrics_by_model": {name: self.metrics(one) for name, one in others.items()},
        }
        if last is None:
            return found
        all_models = {name: last, **others}
        thresholds, missing = self._thresholds(all_models, rows or {})
        each = self._per_class(last)
        return found | {
            "accuracy": last.accuracy,
            "accuracy_per_class": last.accuracy_per_class,
            "metrics": self.metrics(last),
            "metrics_per_class": {
                name: one.as_dict() for name, one in zip(self.classes, each, strict=True)
            },
            "metrics_per_client": self._by_group(last),
            "thresholds": thresholds,
            "no_threshold": missing,
        }

    def _thresholds(
        self, models: Mapping[str, Evaluation], rows: Mapping[str, Choosing | str]
    ) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
        """Return by model its threshold, and why it has none."""
        thresholds, missing = dict[str, dict[str, float]](), dict[str, str]()
        for model, chooses in rows.items():
            if isinstance(chooses, str):
                missing[model] = chooses
            elif (found := self.threshold(models[model], chooses)) is None:
                missing[model] = (
                    f"at no threshold do the {many(len(chooses.score), 'row')} of the set give "
                    f"{wanted(self.cfg)}. {OTHERWISE}; ask for less"
                )
            else:
                thresholds[model] = found.as_dict()
        return thresholds, missing

    def _by_group(self, found: Evaluation) -> dict[str, dict[str, float]]:
        if self.groups is None:
            return {}
        each = per_group(
            found.probabilities,
            found.labels,
            self.groups,
            self.group_names,
            positive=self.headline.positive,
        )
        return {name: one.as_dict() for name, one in each.items()}
