"""Thresholds against a search of all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fdd_flower.training.metrics import choose, find_threshold


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
    found = find_threshold(score, own, recall=0, precision=0.99, seed=0)
    undefined = (found.value, found.recall, found.precision, found.called)
    assert all(map(math.isnan, undefined))


def test_it_is_measured_on_records_that_did_not_choose_it():
    score, own = scored(4001)
    found = find_threshold(score, own, recall=0.8, precision=0, seed=3)
    assert found.chosen_on + found.records == 4001
    assert abs(found.chosen_on - found.records) <= 2
    assert found.recall == pytest.approx(0.8, abs=0.1)
    # what was left out of the choice changes the numbers and not the threshold
    other = find_threshold(score, own, recall=0.8, precision=0, seed=4)
    assert other.value != found.value or other.recall != found.recall
    assert find_threshold(score, own, recall=0.8, precision=0, seed=3) == found


def test_halves_share_no_record():
    own = np.arange(40) < 20
    score = np.where(own, 1.0, 0.0)
    for place in range(20):  # a record that is missed is in one half alone
        lower = score.copy()
        lower[place] = -1
        found = find_threshold(lower, own, recall=1.0, precision=0, seed=0)
        assert (found.value, found.recall) in {(-1.0, 1.0), (1.0, 0.9)}
