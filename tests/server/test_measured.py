"""What a run says of its models, by the same function for every strategy."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from fdd_flower.config import Config, EvaluationConfig, TrainingConfig
from fdd_flower.data.base import Split
from fdd_flower.run_folder.rows import Summary
from fdd_flower.server.measuring.measured import Measured
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.cross_fit import cross_fitted
from fdd_flower.training.evaluation import Evaluation, evaluate
from fdd_flower.training.metrics import Choosing
from tests.report.samples import make_summary


@pytest.fixture(scope="module")
def split() -> Split:
    rng = torch.Generator().manual_seed(0)
    labels = (torch.arange(60) % 10 == 0).long()
    return Split(
        inputs=torch.randn(60, 3, generator=rng) + labels[:, None],
        labels=labels,
        classes=("fine", "broken"),
        groups=torch.arange(60) % 2,
    )


@pytest.fixture(scope="module")
def found(split: Split) -> Evaluation:
    torch.manual_seed(0)
    return evaluate(torch.nn.Linear(3, 2), split)


def test_the_summary_says_how_a_rare_class_is_found(split: Split, found: Evaluation):
    said = Measured(EvaluationConfig(), split, ("north", "south")).summary(
        "cnn", found, {"mlp": found}
    )
    summary = Summary.from_json(make_summary(**said).to_json(), where="here")
    p, y = found.probabilities[:, 1], split.labels.numpy()
    assert summary.metric == "auroc"
    assert summary.metrics["auroc"] == pytest.approx(roc_auc_score(y, p))
    assert summary.metrics["average_precision"] == pytest.approx(average_precision_score(y, p))
    assert summary.metrics["majority"] == pytest.approx(0.9)
    assert summary.metrics_by_model == {"mlp": summary.metrics}
    assert summary.metrics_per_class["broken"]["recall"] == summary.accuracy_per_class[1]
    assert summary.metrics_per_class["broken"]["records"] == 6


def test_each_group_is_measured_on_its_own(split: Split, found: Evaluation):
    said = Measured(EvaluationConfig(), split, ("north", "south", "nobody")).summary(
        "cnn", found, {}
    )
    groups = said["metrics_per_client"]
    assert list(groups) == ["north", "south"]
    assert [each["records"] for each in groups.values()] == [30, 30]
    right = (found.probabilities.argmax(axis=1) == split.labels.numpy())[::2]
    assert groups["north"]["accuracy"] == pytest.approx(right.mean())
    assert math.isnan(groups["south"]["auroc"])  # all its records are of one class
    alone = Measured(EvaluationConfig(), replace(split, groups=None), ())
    assert alone.summary("cnn", found, {})["metrics_per_client"] == {}


def test_test_records_never_choose_a_threshold(split: Split, found: Evaluation):
    asked = Measured(EvaluationConfig(recall=0.5), split, ())
    for rows in ({}, None):
        said = asked.summary("cnn", found, {"mlp": found}, rows)
        assert (said["thresholds"], said["no_threshold"]) == ({}, {})
    said = asked.summary("cnn", found, {"mlp": found}, {"cnn": "no set", "mlp": ROWS})
    assert list(said["thresholds"]) == ["mlp"]
    assert said["no_threshold"] == {"cnn": "no set"}


ROWS = Choosing(
    score=np.array([0.1, 0.3, 0.5, 0.7]),
    own=np.array([0.0, 1.0, 0.0, 1.0]),
    weights=np.array([1.0, 1.0, 1.0, 3.0]),
)


def test_rows_choose_a_threshold_that_all_records_measure(split: Split, found: Evaluation):
    cfg = EvaluationConfig(recall=0.7)
    said = Measured(cfg, split, ()).summary("cnn", found, {}, {"cnn": ROWS})["thresholds"]["cnn"]
    assert said["value"] == 0.7  # three quarters of the weight; the other row is not needed
    assert (said["rows"], said["records"]) == (4, 60)
    own = split.labels.numpy() == 1
    reached = found.probabilities[own, 1] >= 0.7
    assert said["recall"] == pytest.approx(reached.mean())
    shared = Choosing(score=np.array([0.2, 0.6]), own=np.array([0.5, 0.5]), weights=np.ones(2))
    assert shared.choose(recall=1, precision=0) == 0.2


def test_a_precision_that_no_row_gives_is_said(split: Split, found: Evaluation):
    never = replace(ROWS, own=ROWS.own[::-1].copy())  # the highest score is of the other class
    cfg = EvaluationConfig(precision=0.9)
    said = Measured(cfg, split, ()).summary("cnn", found, {}, {"cnn": never})
    assert said["thresholds"] == {}
    assert "a precision of 0.9" in said["no_threshold"]["cnn"]


def test_a_row_is_scored_by_a_model_that_never_saw_it(monkeypatch: pytest.MonkeyPatch):
    rng = torch.Generator().manual_seed(0)
    y = torch.arange(20) % 2
    rows = SyntheticSet(
        inputs=torch.randn(20, 3, generator=rng),
        targets=torch.nn.functional.one_hot(y, 2).float(),
        weights=torch.ones(20),
    )
    cfg = Config(training=TrainingConfig(steps=5))
    trained_on = []

    def train(name: str, part: SyntheticSet, cfg: Config, **more: object) -> torch.nn.Module:
        trained_on.append({tuple(row) for row in part.inputs.tolist()})

        class Model(torch.nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                assert trained_on[-1].isdisjoint(map(tuple, x.tolist()))
                return x[:, :2]

        return Model()

    monkeypatch.setattr("fdd_flower.training.cross_fit.train_family", train)
    found = cross_fitted("logistic", rows, cfg, round_=1)
    np.testing.assert_allclose(found, rows.inputs[:, :2].double().softmax(dim=1).numpy())
    assert [len(one) for one in trained_on] == [16] * 5


def test_the_log_begins_with_what_is_asked_for(split: Split, found: Evaluation):
    rare = Measured(EvaluationConfig(), split, ())
    words = rare.words(found.accuracy, rare.metrics(found))
    assert words == f"AUROC {rare.metrics(found)['auroc']:.4f}, accuracy {found.accuracy:.4f}"
    plain = Measured(EvaluationConfig(metric="accuracy"), split, ())
    assert plain.words(0.5, {}) == "accuracy 0.5000"


def test_a_run_without_a_round_has_no_number(split: Split):
    said = Measured(EvaluationConfig(), split, ()).summary("cnn", None, {})
    assert math.isnan(said["accuracy"])
    assert "metrics" not in said


def test_probabilities_near_one_stay_apart():
    logits = torch.nn.Linear(1, 2)
    with torch.no_grad():
        logits.weight.copy_(torch.tensor([[0.0], [1.0]]))
        logits.bias.zero_()
    inputs = torch.tensor([[20.0], [21.0], [22.0], [23.0]])
    split = Split(inputs=inputs, labels=torch.tensor([0, 0, 1, 1]), classes=("a", "b"))
    assert len(np.unique(evaluate(logits, split).probabilities[:, 1])) == 4
