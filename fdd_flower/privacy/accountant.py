"""What releases cost together, by `dp-accounting`'s privacy-loss distributions.

Neighbouring data sets differ by one record, added or removed. Releases without sampling compose
exactly: several of noise sigma_i are one of (sum 1 / sigma_i^2)^-1/2. This holds too where each
sigma was chosen after the releases before it (Smith and Thakurta, arXiv:2210.17520), as over
several runs of a server. Sampled releases compose as the distributions do, which asks that a run's
sigma and rate are set before its first release.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from fdd_flower.errors import ConfigError

# The noise is drawn from the discrete Gaussian, and accounted as the continuous one with this much
# less of it: from 32 steps of noise on, their epsilons differ by less than 1 in 10^4.
_DISCRETE = 1e-4
LEAST = 1e-3  # noise multiplier: with less, losses leave the range of doubles
_INTERVAL = 1e-4  # of the privacy loss: the grid on which it is rounded up
_CLOSE = 1e-4  # relative accuracy of a sigma that is searched for


@dataclass(frozen=True, slots=True)
class Spend:
    """What a client gives away at once.

    Parameters
    ----------
    sigma
        Noise multiplier: standard deviation of the noise over the sensitivity, at least `LEAST`.
    releases
        How many releases of this noise, at least 1.
    rate
        Probability, above 0, with which a release takes in each record, independently (Poisson
        sampling); 1: it takes in all.

    Raises
    ------
    ConfigError
        If one is out of its range.
    """

    sigma: float
    releases: int = 1
    rate: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.sigma) and self.sigma >= LEAST):
            raise _wrong("sigma", f"a number from {LEAST}, where epsilon is 504,370", self.sigma)
        if self.releases < 1:
            raise _wrong("releases", "a whole number from 1", self.releases)
        if not 0 < self.rate <= 1:
            raise _wrong("rate", "a number above 0, at most 1", self.rate)


def epsilon_of(spends: Sequence[Spend], delta: float) -> float:
    """Return the epsilon of all `spends` together at `delta`, never below the true one.

    Parameters
    ----------
    delta
        Above 0, below 1.

    Raises
    ------
    ConfigError
        If `delta` is out of its range.

    Notes
    -----
    The privacy-loss distributions of Doroshenko et al. (arXiv:2207.04380): rounding is upwards.
    """
    _check_delta(delta)
    if not spends:
        return 0.0
    plain = sum(spend.releases / spend.sigma**2 for spend in spends if spend.rate == 1)
    sampled = Counter[tuple[float, float]]()
    for spend in spends:
        if spend.rate < 1:
            sampled[spend.sigma, spend.rate] += spend.releases
    parts = Counter({(plain**-0.5, 1.0): 1} if plain else {}) + sampled
    return _epsilon(tuple(sorted(parts.items())), delta)


@cache
def _epsilon(parts: tuple[tuple[tuple[float, float], int], ...], delta: float) -> float:
    """Return the epsilon of `parts`, ((sigma, rate), releases) each: a client asks time and again.

    Nothing in it is private: sigmas, rates and numbers of releases are the server's settings.
    """
    from dp_accounting.pld.privacy_loss_distribution import from_gaussian_mechanism

    # with little noise losses are large, and a finer grid would only take time
    least = min(sigma for (sigma, _), _ in parts)
    if least < LEAST:
        return math.inf
    interval = _INTERVAL * max(1.0, 0.1 / least**2)
    whole = None
    for (sigma, rate), releases in parts:
        part = from_gaussian_mechanism(
            sigma * (1 - _DISCRETE), sampling_prob=rate, value_discretization_interval=interval
        )
        part = part.self_compose(releases) if releases > 1 else part
        whole = part if whole is None else whole.compose(part)
    assert whole is not None
    return float(whole.get_epsilon_for_delta(delta))


def sigma_for(epsilon: float, delta: float, *, releases: int = 1, rate: float = 1.0) -> float:
    """Return a noise multiplier with which `releases` cost at most `epsilon` at `delta`.

    Parameters
    ----------
    epsilon
        Above 0.
    delta
        Above 0, below 1.
    releases, rate
        See `Spend`.

    Returns
    -------
    The least such sigma, and up to 0.1 % more.

    Raises
    ------
    ConfigError
        If a value is out of its range.
    """
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise _wrong("epsilon", "a number above 0", epsilon)
    _check_delta(delta)
    Spend(1.0, releases, rate)
    from dp_accounting.gaussian_mechanism import get_sigma_gaussian
    from scipy.optimize import root_scalar

    # without sampling it is enough, up to rounding; with it, less is
    high = get_sigma_gaussian(epsilon, delta) * math.sqrt(releases) * (1 + 2 * _DISCRETE)
    while epsilon_of([Spend(high, releases, rate)], delta) > epsilon:
        high *= 1 + _CLOSE
    if rate == 1:
        return high

    def excess(sigma: float) -> float:
        return math.log(epsilon_of([Spend(sigma, releases, rate)], delta) / epsilon)

    low = high / 2
    while excess(low) <= 0:
        low, high = low / 2, low
    sigma = float(root_scalar(excess, bracket=(low, high), xtol=_CLOSE * low).root)
    while excess(sigma) > 0:
        sigma *= 1 + _CLOSE
    return sigma


def _check_delta(delta: float) -> None:
    if not 0 < delta < 1:
        raise _wrong("delta", "a number above 0, below 1", delta)


def _wrong(name: str, expected: str, got: float) -> ConfigError:
    return ConfigError(
        f"privacy.{name}", expected=expected, got=got, remedy="Change it, or privacy.mode."
    )
