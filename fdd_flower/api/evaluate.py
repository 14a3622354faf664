"""`fdd_flower.evaluate`: how well a model does on records that it has not seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from fdd_flower.api.inputs import model_inputs
from fdd_flower.api.labels import places_of
from fdd_flower.api.model import Model
from fdd_flower.config import EvaluationConfig
from fdd_flower.data.base import Split, refuse
from fdd_flower.device import device_of, moved
from fdd_flower.report.headline import metric_lines
from fdd_flower.report.units import human_number, human_share
from fdd_flower.training import evaluation
from fdd_flower.training.metrics import confusion, headline, measure, per_class
from fdd_flower.wording import many


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Evaluation:
    """How a model does on records.

    Attributes
    ----------
    accuracy
        Share that it gets right, from 0 to 1.
    loss
        Mean cross-entropy in nats.
    accuracy_per_class
        By the name of the class; nan where there is no record of it.
    records
        How many records there were.
    majority
        The share of the most frequent class: what always guessing it would get right.
    macro_f1, auroc, average_precision, brier, ece
        See `Metrics`. nan where the records do not define one. Average precision and calibration
        are about the second of two classes, or about one with less than a fifth of the records.
    metrics_per_class
        `recall, precision, f1, auroc, average_precision, records`, by the name of the class.
    confusion
        (k, k): how many records of each class (rows) are taken for each class (columns).
    """

    accuracy: float
    loss: float
    accuracy_per_class: Mapping[str, float]
    records: int
    majority: float
    macro_f1: float = math.nan
    auroc: float = math.nan
    average_precision: float = math.nan
    brier: float = math.nan
    ece: float = math.nan
    metrics_per_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    confusion: np.ndarray | None = field(default=None, compare=False)

    @property
    def balanced_accuracy(self) -> float:
        """The mean of the accuracies of the classes that have records."""
        held = [share for share in self.accuracy_per_class.values() if not math.isnan(share)]
        return sum(held) / len(held)

    def __repr__(self) -> str:
        """Return the main numbers, one per line."""
        lines = [
            f"accuracy {human_share(self.accuracy)}, loss {human_number(self.loss)} "
            f"on {many(self.records, 'record')}",
            f"always guessing the most frequent class: {human_share(self.majority)}",
            ", ".join(f"{name} {value}" for name, value in metric_lines(self._beside())),
        ]
        width = max(map(len, self.accuracy_per_class))
        lines += [
            f"  {name:<{width}}  {human_share(share)}"
            for name, share in self.accuracy_per_class.items()
        ]
        return "\n".join(lines)

    def _beside(self) -> dict[str, float]:
        names = ("balanced_accuracy", "macro_f1", "auroc", "average_precision", "brier", "ece")
        return {name: getattr(self, name) for name in names}


def evaluate(model: nn.Module, x: object, y: object) -> Evaluation:
    """Return how well `model` does on `x` and `y`, in the units of the data.

    Parameters
    ----------
    model
        From `fdd_flower.train` or a run.
    x
        Records as a NumPy array, a tensor, or a DataFrame with the columns of the training data.
    y
        (n,) labels: names of classes, or whole numbers where these count the classes from 0.

    Raises
    ------
    DataError
        If the records or labels are not of the model's schema.

    Examples
    --------
    >>> fdd.evaluate(model, x_test, y_test)  # doctest: +SKIP
    accuracy 95.7%, loss 0.152 on 360 records
    always guessing the most frequent class: 10.3%
    balanced accuracy 95.6%, macro F1 0.957, AUROC 0.998, average precision 0.987, ...
      0  97.2%
      1  91.7%
    """
    if not isinstance(model, Model):
        raise refuse(
            "model",
            expected="a model that knows its data, as from fdd_flower.train",
            got=type(model).__name__,
            remedy="Train a module of your own with fdd_flower.train(small, module).",
        )
    schema = model.schema
    inputs, places = model_inputs(x, schema), places_of(y, schema.classes)
    if len(inputs) != len(places):
        raise refuse(
            "y",
            expected=f"{many(len(inputs), 'label')}, one a record",
            got=len(places),
            remedy="Give every record one label.",
        )
    labels = torch.from_numpy(places)
    split = Split(inputs=inputs, labels=labels, classes=schema.classes)
    found = evaluation.evaluate(model, moved(split, device_of(model)))
    shown = headline(EvaluationConfig(), schema.classes, found.labels)
    each = per_class(found.probabilities, found.labels)
    numbers = measure(found.probabilities, found.labels, positive=shown.positive, each=each)
    return Evaluation(
        accuracy=found.accuracy,
        loss=found.loss,
        accuracy_per_class=dict(zip(schema.classes, found.accuracy_per_class, strict=True)),
        records=len(labels),
        majority=numbers.majority,
        macro_f1=numbers.macro_f1,
        auroc=numbers.auroc,
        average_precision=numbers.average_precision,
        brier=numbers.brier,
        ece=numbers.ece,
        metrics_per_class={
            name: one.as_dict() for name, one in zip(schema.classes, each, strict=True)
        },
        confusion=confusion(found.probabilities, found.labels),
    )
