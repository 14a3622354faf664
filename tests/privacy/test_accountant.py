import math

import pytest
from scipy.stats import norm

from fdd_flower.errors import ConfigError
from fdd_flower.privacy.accountant import Spend, epsilon_of, sigma_for

SETTINGS = [
    (sigma, releases, delta)
    for sigma, releases in [(0.4999, 1), (1, 1), (3.731, 1), (3.731, 10), (40, 100)]
    for delta in (1e-4, 1e-5, 1e-6, 1e-9)
]
EXTREME = [(0.3, 1, 1e-12), (0.3, 100, 1e-5), (2, 100, 1e-12), (100, 1, 1e-5), (100, 100, 1e-12)]


def _delta(epsilon: float, sigma: float) -> float:
    """Return the Gaussian mechanism's delta: Balle and Wang, arXiv:1805.06530, Theorem 8."""
    low, high = 1 / (2 * sigma) - epsilon * sigma, -1 / (2 * sigma) - epsilon * sigma
    return float(norm.cdf(low) - math.exp(epsilon + norm.logcdf(high)))


def _closed_form(sigma: float, releases: int, delta: float) -> float:
    sigma, low, high = sigma / math.sqrt(releases), 0.0, 2000.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _delta(middle, sigma) > delta else (low, middle)
    return high


@pytest.mark.parametrize(("sigma", "releases", "delta"), SETTINGS + EXTREME)
def test_epsilon_is_that_of_the_closed_form_or_up_to_a_percent_above(
    sigma: float, releases: int, delta: float
):
    epsilon = epsilon_of([Spend(sigma, releases)], delta)
    assert 1 <= epsilon / _closed_form(sigma, releases, delta) <= 1.01


@pytest.mark.parametrize(("epsilon", "delta", "releases"), [(0.2, 1e-5, 1), (1, 1e-6, 30)])
def test_sigma_is_the_least_that_keeps_the_promise(epsilon: float, delta: float, releases: int):
    sigma = sigma_for(epsilon, delta, releases=releases)
    assert epsilon_of([Spend(sigma, releases)], delta) <= epsilon
    assert _closed_form(sigma, releases, delta) <= epsilon
    assert _closed_form(sigma * 0.99, releases, delta) > epsilon


def test_known_noise_multipliers():
    assert sigma_for(1, 1e-5) == pytest.approx(3.731, rel=1e-3)
    assert sigma_for(10, 1e-5) == pytest.approx(0.4999, rel=1e-3)


def test_releases_of_several_runs_are_one_of_less_noise():
    together = epsilon_of([Spend(5), Spend(5, 2), Spend(10, 4)], 1e-5)
    assert together == pytest.approx(epsilon_of([Spend(1 / 4e-2**0.5 / 2)], 1e-5), rel=1e-6)


@pytest.mark.parametrize(("sigma", "rate", "releases"), [(1.0, 0.01, 500), (4.0, 0.1, 100)])
def test_sampled_releases_never_cost_less_than_the_distributions_say(
    sigma: float, rate: float, releases: int
):
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent
    from dp_accounting.pld import PLDAccountant

    event = PoissonSampledDpEvent(rate, GaussianDpEvent(sigma))
    oracle = PLDAccountant().compose(event, releases).get_epsilon(1e-5)
    assert oracle - 1e-3 <= epsilon_of([Spend(sigma, releases, rate)], 1e-5) <= oracle * 1.01


def test_sampling_helps_and_other_releases_add():
    sampled, plain = Spend(2.0, 50, 0.02), Spend(10.0)
    both = epsilon_of([sampled, plain], 1e-5)
    assert max(epsilon_of([s], 1e-5) for s in (sampled, plain)) < both
    assert both < epsilon_of([sampled], 1e-5) + epsilon_of([plain], 1e-5)
    assert epsilon_of([sampled], 1e-5) < epsilon_of([Spend(2.0, 50)], 1e-5) / 10


def test_sigma_of_sampled_releases():
    sigma = sigma_for(1.0, 1e-5, releases=20, rate=0.05)
    assert epsilon_of([Spend(sigma, 20, 0.05)], 1e-5) <= 1.0
    assert epsilon_of([Spend(sigma * 0.99, 20, 0.05)], 1e-5) > 1.0


@pytest.mark.parametrize("steps", [32, 33, 40, 100])
@pytest.mark.parametrize("sigma", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("delta", [1e-5, 1e-9])
def test_discrete_noise_costs_no_more_than_is_accounted(steps: int, sigma: float, delta: float):
    from dp_accounting.pld.privacy_loss_distribution import from_discrete_gaussian_mechanism

    grid = round(steps / sigma)
    exact = from_discrete_gaussian_mechanism(
        sigma * grid, sensitivity=grid, value_discretization_interval=1e-4
    )
    assert exact.get_epsilon_for_delta(delta) <= epsilon_of([Spend(sigma)], delta)


def test_nothing_costs_nothing():
    assert epsilon_of([], 1e-5) == 0


@pytest.mark.parametrize(
    "bad",
    [
        lambda: Spend(0.0),
        lambda: Spend(1e-4),
        lambda: Spend(math.nan),
        lambda: Spend(1.0, 0),
        lambda: Spend(1.0, 1, 0.0),
        lambda: Spend(1.0, 1, 1.1),
        lambda: epsilon_of([Spend(1.0)], 0.0),
        lambda: sigma_for(0.0, 1e-5),
        lambda: sigma_for(math.inf, 1e-5),
        lambda: sigma_for(1.0, 1.0),
    ],
)
def test_values_out_of_range_are_refused(bad):
    with pytest.raises(ConfigError):
        bad()


def test_next_to_no_noise_costs_more_than_any_budget():
    assert epsilon_of([Spend(1e-3)], 1e-5) > 500_000
    assert epsilon_of([Spend(1e-3)] * 2, 1e-5) == math.inf
