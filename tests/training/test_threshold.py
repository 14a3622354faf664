"""Thresholds against a search of all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fdd_flower.training.metrics import Choosing, choose, threshold_of_rows


def scored(n: int = 400, share: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    own = rng.random(n) < share
    return (rng.normal(size=n) + own).round(1), own


def numbers(score: np.ndarray, own: np.ndarray, value: float) -> tuple[float, float]:
    called = score >= value
    return (called & own).sum() / own.sum(), (called & own).sum() / called.sum()


@pytest.mark.parametrize("recall", [0.2, 0.5, 0.9, 1.0])
def test_the_highest_threshold_that_finds_as_many(recall: float):
    score, own = scored()
    reached = [v for v in np.unique(score) if numbers(score, own, v)[0] >= recall]
    assert choose(score, own, recall=recall, precision=0) == max(reached)


@pytest.mark.parametrize("precision", [0.05, 0.2, 0.4])
def test_the_lowest_threshold_that_is_as_precise(precision: float):
    score, own = scored()
    reached = [v for v in np.unique(score) if numbers(score, own, v)[1] >= precision]
    assert choose(score, own, recall=0, precision=precision) == min(reached)


def test_what_cannot_be_had_is_no_number():
    score, own = np.array([0.1, 0.9, 0.8, 0.2]), np.array([True, False, False, True])
    assert math.isnan(choose(score, own, recall=0, precision=0.9))
    assert math.isnan(choose(score, own & False, recall=0.5, precision=0))
    assert math.isnan(choose(score * math.nan, own, recall=0.5, precision=0))
    rows = Choosing(score=score, own=own.astype(float), weights=np.ones(4))
    assert threshold_of_rows(rows, score, own, recall=0, precision=0.9) is None


def test_it_is_measured_on_records_that_did_not_choose_it():
    score, own = scored(1000)
    others, theirs = score[:400], own[:400]
    rows = Choosing(score=score[400:], own=own[400:].astype(float), weights=np.ones(600))
    found = threshold_of_rows(rows, others, theirs, recall=0.8, precision=0)
    assert found is not None
    assert found.value == choose(score[400:], own[400:], recall=0.8, precision=0)
    assert (found.recall, found.precision) == numbers(others, theirs, found.value)
    assert found.called == (others >= found.value).mean()
    assert (found.rows, found.records) == (600, 400)
