"""Bounds of epsilon equal those of others, and closed forms."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from scipy.stats import norm

from fdd_flower.audit.bounds.bayes import epsilon_interval
from fdd_flower.audit.bounds.counts import (
    Counts,
    best_threshold,
    delta_of_mu,
    epsilon_at_least,
    epsilon_of_mu,
    mu_at_least,
)
from fdd_flower.audit.bounds.one_run import epsilon_at_least as one_run_epsilon
from fdd_flower.audit.bounds.one_run import epsilon_of_guesses, guesses, p_value

CASES = [(60, 40, 30, 70), (95, 5, 2, 98), (400, 600, 20, 980), (50, 50, 50, 50)]


def _counts(case: tuple[int, int, int, int]) -> Counts:
    tp, fn, fp, tn = case
    return Counts(true_positives=tp, false_negatives=fn, false_positives=fp, true_negatives=tn)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("delta", [0.0, 1e-5, 0.01])
def test_clopper_pearson_is_that_of_privacy_estimates(case, delta):
    oracle = pytest.importorskip("privacy_estimates.binomial_proportion")
    from privacy_estimates.utils import AttackResults

    tp, fn, fp, tn = case
    count = AttackResults(FN=fn, FP=fp, TN=tn, TP=tp)
    # both give each rate half of the error
    theirs = oracle.compute_eps_lo(count=count, delta=delta, alpha=0.05, method="beta")
    assert epsilon_at_least(_counts(case), delta=delta) == pytest.approx(theirs, abs=1e-9)
    assert epsilon_at_least(_counts(case), delta=delta, confidence=0.9) <= epsilon_at_least(
        _counts(case), delta=delta, confidence=0.5
    )


@pytest.mark.parametrize("case", CASES[:2])
def test_the_bayesian_interval_is_that_of_privacy_estimates(case):
    density = pytest.importorskip("privacy_estimates.joint_density")
    from privacy_estimates.utils import AttackResults

    tp, fn, fp, tn = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its quadrature says that it is slow to converge
        model = density.Beta(count=AttackResults(FN=fn, FP=fp, TN=tn, TP=tp))
        low, high = epsilon_interval(_counts(case), delta=1e-5)
        # the interval holds the share of the posterior that theirs says it does
        below = model.probability_private(eps=low, delta=1e-5)
        above = model.probability_private(eps=high, delta=1e-5)
    assert below == pytest.approx(0.025, abs=0.006)
    assert above == pytest.approx(0.975, abs=0.006)


@pytest.mark.parametrize(("right", "made"), [(600, 1000), (700, 1000), (95, 100), (100, 100)])
def test_one_run_without_delta_is_that_of_opake(right, made):
    opake = pytest.importorskip("opake.api.auditing.one_run._eps_delta")
    ours = epsilon_of_guesses(made, made, right, delta=0.0)
    assert opake._p_value(made, made - right, ours, 0.0) == pytest.approx(0.05, abs=1e-5)
    for epsilon in (0.0, 0.5, 2.0):
        assert p_value(made, made, right, epsilon=epsilon, delta=0.0) == pytest.approx(
            opake._p_value(made, made - right, epsilon, 0.0), abs=1e-9
        )


def test_one_run_with_delta_is_the_papers_loop():
    from scipy.stats import binom

    m, r, v, eps, delta = 200, 120, 90, 0.7, 1e-3
    q = 1 / (1 + math.exp(-eps))
    alpha, total = 0.0, 0.0
    for i in range(1, v + 1):  # the appendix of arXiv:2305.08846
        total += binom.pmf(v - i, r, q)
        alpha = max(alpha, total / i)
    expected = binom.sf(v - 1, r, q) + alpha * delta * 2 * m
    assert p_value(m, r, v, epsilon=eps, delta=delta) == pytest.approx(expected, rel=1e-12)


def test_randomised_response_stays_under_its_epsilon():
    epsilon, above = 1.0, 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        member = rng.random(500) < 0.5
        kept = rng.random(500) < 1 / (1 + math.exp(-epsilon))
        scores = np.where(kept, member, ~member) + 1e-3 * rng.random(500)
        above += one_run_epsilon(scores, member, delta=0.0) > epsilon
    assert above <= 3


def test_guesses_are_counted_one_by_one():
    scores = np.array([3.0, 2.0, 1.0, 0.0])
    member = np.array([True, False, True, False])
    assert list(guesses(scores, member))[:4] == [(2, 1), (4, 2), (1, 1), (2, 2)]


@pytest.mark.parametrize(("mu", "delta"), [(0.1, 1e-3), (0.268, 1e-5), (1.0, 1e-6), (2.0, 1e-5)])
def test_epsilon_of_mu_is_that_of_the_accountant(mu, delta):
    pld = pytest.importorskip("dp_accounting.pld.privacy_loss_distribution")
    theirs = pld.from_gaussian_mechanism(1 / mu, value_discretization_interval=1e-4)
    assert epsilon_of_mu(mu, delta=delta) == pytest.approx(
        theirs.get_epsilon_for_delta(delta), rel=2e-3, abs=2e-4
    )


def test_no_mu_is_no_epsilon_and_delta_falls_with_epsilon():
    assert epsilon_of_mu(0.0, delta=1e-5) == 0.0
    assert delta_of_mu(1.0, epsilon=0.0) == pytest.approx(2 * norm.cdf(0.5) - 1)


def test_mu_of_a_gaussian_stays_under_it_and_comes_near():
    rng = np.random.default_rng(3)
    member = rng.random(400_000) < 0.5
    scores = member + rng.normal(0, 2.0, len(member))
    half = len(member) // 2
    threshold = best_threshold(scores[:half], member[:half])
    found = mu_at_least(Counts.at(scores[half:], member[half:], threshold))
    assert 0.47 < found < 0.5
