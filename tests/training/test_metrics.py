"""Metrics against scikit-learn's own, and where scikit-learn refuses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from fdd_flower.training.metrics import (
    confusion,
    measure,
    per_class,
    per_group,
    predicted,
    reliability,
)


def answers(n: int, k: int, *, shares=None, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities that know something of their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(k, n, p=shares)
    logits = rng.normal(size=(n, k)) + 1.5 * np.eye(k)[labels]
    shares = np.exp(logits)
    return shares / shares.sum(axis=1, keepdims=True), labels


def test_two_classes_are_measured_as_scikit_learn_measures_them():
    p, y = answers(400, 2, shares=(0.9, 0.1))
    found, guess = measure(p, y), p.argmax(axis=1)
    assert found.accuracy == pytest.approx(sk.accuracy_score(y, guess))
    assert found.balanced_accuracy == pytest.approx(sk.balanced_accuracy_score(y, guess))
    assert found.macro_f1 == pytest.approx(sk.f1_score(y, guess, average="macro"))
    assert found.auroc == pytest.approx(sk.roc_auc_score(y, p[:, 1]))
    assert found.average_precision == pytest.approx(sk.average_precision_score(y, p[:, 1]))
    assert found.brier == pytest.approx(sk.brier_score_loss(y, p[:, 1]))
    assert found.majority == pytest.approx(max(np.mean(y == 0), np.mean(y == 1)))
    assert found.records == 400
    other = measure(p, y, positive=0)
    assert other.average_precision == pytest.approx(sk.average_precision_score(y == 0, p[:, 0]))
    assert other.auroc == pytest.approx(found.auroc)


def test_more_classes_are_means_of_each_against_the_rest():
    p, y = answers(300, 5)
    found, guess = measure(p, y), p.argmax(axis=1)
    assert found.auroc == pytest.approx(sk.roc_auc_score(y, p, multi_class="ovr"))
    assert found.average_precision == pytest.approx(sk.average_precision_score(np.eye(5)[y], p))
    assert found.balanced_accuracy == pytest.approx(sk.balanced_accuracy_score(y, guess))
    assert found.macro_f1 == pytest.approx(sk.f1_score(y, guess, average="macro"))
    squares = [((row - np.eye(5)[label]) ** 2).sum() for row, label in zip(p, y, strict=True)]
    assert found.brier == pytest.approx(np.mean(squares))
    assert (confusion(p, y) == sk.confusion_matrix(y, guess)).all()
    report: Any = sk.classification_report(y, guess, output_dict=True)
    for place, one in enumerate(per_class(p, y)):
        theirs = report[str(place)]
        assert (one.recall, one.precision, one.f1, one.records) == pytest.approx(
            (theirs["recall"], theirs["precision"], theirs["f1-score"], theirs["support"])
        )


def test_a_class_without_records_has_no_number_and_no_part_in_the_means():
    p, y = answers(200, 4)
    kept = y != 2
    p, y = p[kept], y[kept]
    found, each = measure(p, y), per_class(p, y)
    assert each[2].records == 0
    lacking = (each[2].recall, each[2].f1, each[2].auroc, each[2].average_precision)
    assert all(map(math.isnan, lacking))
    assert each[2].precision == 0  # it was predicted, each time wrongly
    held = [sk.roc_auc_score(y == c, p[:, c]) for c in (0, 1, 3)]
    assert found.auroc == pytest.approx(np.mean(held))
    guess = p.argmax(axis=1)
    assert found.macro_f1 == pytest.approx(sk.f1_score(y, guess, average="macro", labels=[0, 1, 3]))
    assert found.balanced_accuracy == pytest.approx(
        np.mean([np.mean(guess[y == c] == c) for c in (0, 1, 3)])
    )


def test_a_class_that_is_never_predicted_has_no_precision():
    p, y = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]]), np.array([0, 0, 1])
    assert math.isnan(per_class(p, y)[1].precision)
    assert per_class(p, y)[1].f1 == 0
    assert measure(p, y).macro_f1 == pytest.approx(sk.f1_score(y, [0, 0, 0], average="macro"))


@pytest.mark.parametrize("k", [2, 3])
def test_records_of_one_class_have_no_auroc(k: int):
    p, _ = answers(20, k)
    found = measure(p, np.ones(20, dtype=np.int64))
    assert math.isnan(found.auroc)
    assert found.balanced_accuracy == found.accuracy == np.mean(p.argmax(axis=1) == 1)
    assert found.majority == 1


def test_answers_that_are_no_numbers_count_as_answers_and_nothing_else():
    p, y = answers(30, 3)
    p[4] = math.nan
    found = measure(p, y)
    assert found.accuracy == pytest.approx(np.mean(p.argmax(axis=1) == y))
    assert math.isfinite(found.macro_f1)
    assert all(map(math.isnan, (found.auroc, found.average_precision, found.brier, found.ece)))
    assert confusion(p, y).sum() == 30


def test_no_records_give_no_numbers():
    found = measure(np.zeros((0, 3)), np.zeros(0, dtype=np.int64))
    assert found.records == 0
    numbers = {name: value for name, value in found.as_dict().items() if name != "records"}
    assert all(map(math.isnan, numbers.values()))


@pytest.mark.parametrize(("k", "positive"), [(2, 1), (2, 0), (4, 1)])
def test_reliability_is_scikit_learns_curve_with_counts(k: int, positive: int):
    p, y = answers(500, k)
    found = reliability(p, y, positive=positive)
    right = y == (positive if k == 2 else predicted(p))
    score = p[:, positive] if k == 2 else p.max(axis=1)
    share, probability = calibration_curve(right, score, n_bins=10, strategy="quantile")
    assert found.share == pytest.approx(share)
    assert found.probability == pytest.approx(probability)
    assert sum(found.records) == 500
    assert found.ece == pytest.approx(np.mean(np.abs(share - probability)), abs=1e-3)


def test_a_certain_and_right_model_is_calibrated():
    y = np.array([0, 1, 1, 0, 1])
    found = reliability(np.eye(2)[y], y)
    assert (found.probability, found.share, found.records) == ((0.0, 1.0), (0.0, 1.0), (2, 3))
    assert found.ece == 0


def test_groups_are_measured_on_their_own_records():
    p, y = answers(90, 2)
    groups = np.arange(90) % 3 + 1
    found = per_group(p, y, groups, ["none", "a", "b", "c"])
    assert list(found) == ["a", "b", "c"]
    assert found["b"] == measure(p[groups == 2], y[groups == 2])
