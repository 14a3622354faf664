import inspect
import math
import os
from decimal import Decimal, localcontext

import numpy as np
import pytest
from scipy.stats import binomtest, chi2, chisquare, kstest

from fdd_flower.errors import ConfigError
from fdd_flower.privacy import sampler
from fdd_flower.privacy.mechanism import Mechanism
from fdd_flower.privacy.noise import LEAST, discrete_gaussian


@pytest.mark.parametrize("sigma", [32.0, 32.9])
def test_draws_follow_the_discrete_gaussian(sigma: float):
    count = 200_000
    drawn = discrete_gaussian(count, sigma)
    values = np.arange(-400, 401)
    weights = np.exp(-(values**2) / (2 * sigma**2))
    edges = np.arange(-80, 81, 4)  # cells of four whole numbers, and two tails
    cells = np.digitize(values, edges)
    expected = count * np.bincount(cells, weights) / weights.sum()
    seen = np.bincount(np.digitize(drawn, edges), minlength=len(expected))
    statistic = float(((seen - expected) ** 2 / expected).sum())
    assert statistic < chi2.ppf(1 - 1e-9, len(expected) - 1)  # fails by chance once in 10^9
    assert drawn.dtype == np.int64


@pytest.mark.parametrize("sigma", [1e8, 1.5 * 2.0**45])
def test_wide_noise_is_a_gaussian_down_to_its_last_digits(sigma: float):
    drawn = discrete_gaussian(100_000, sigma)
    assert kstest(drawn / sigma, "norm").pvalue > 1e-9
    # the lowest bits of a wide one are as good as uniform, also of small draws
    low = np.bincount(drawn & 15, minlength=16)
    assert chisquare(low).pvalue > 1e-9
    near = drawn[np.abs(drawn) < sigma / 8]
    assert chisquare(np.bincount(near & 15, minlength=16)).pvalue > 1e-9


def words_of(seed: int) -> sampler.Words:
    rng = np.random.default_rng(seed)
    return lambda count: rng.integers(0, 2**64, count, dtype=np.uint64)


@pytest.mark.parametrize("sigma", [32.0, 33.7, 1e8, 2.0**45])
def test_doubles_decide_as_all_digits_do(sigma: float, monkeypatch: pytest.MonkeyPatch):
    quick = sampler.draws(300, sigma, words_of(1))
    monkeypatch.setattr(sampler, "MARGIN", 1.0)  # nothing is decided in doubles
    assert np.array_equal(sampler.draws(300, sigma, words_of(1)), quick)


@pytest.mark.parametrize("sigma", [0.05, 1.0, 1e3, 1e6])
def test_mean_variance_and_tails_are_those_of_the_discrete_gaussian(sigma: float):
    count = 400_000
    drawn = sampler.draws(count, sigma, words_of(2))
    # of wide noise, cells of many whole numbers have the weight of their middle, but for 10^-5
    cell = max(1, int(sigma / 1e3))
    values = np.arange(-int(12 * sigma / cell) - 1, int(12 * sigma / cell) + 2) * cell
    weights = np.exp(-((values / sigma) ** 2) / 2)
    weights /= weights.sum()
    square, fourth = (float((values.astype(float) ** n * weights).sum()) for n in (2, 4))
    assert abs(drawn.mean()) <= 5 * math.sqrt(square / count)
    off = 5 * math.sqrt((fourth - square**2) / count)
    assert abs(np.square(drawn.astype(float)).mean() - square) <= off
    for far in (1, 2, 3, 4):
        for sign in (-1, 1):
            expected = float(weights[sign * values >= far * sigma].sum())
            seen = int((sign * drawn >= far * sigma).sum())
            assert binomtest(seen, count, expected).pvalue > 1e-6


@pytest.mark.parametrize("sigma", [32.0, 1e3 + 0.5, 1e8])
def test_the_largest_draw_is_drawn(sigma: float):
    """Of 62 heads and the largest uniform number, with a w of zeros alone."""
    asked: list[int] = []

    def words(count: int) -> np.ndarray:
        found = np.zeros(count, dtype=np.uint64)
        if len(asked) < 2:  # one proposal; the others have too many heads
            found[0] = (2**63, 2 * int(sigma))[len(asked)]
        asked.append(count)
        return found

    assert sampler.draws(1, sigma, words).tolist() == [sampler.largest(sigma)]


def test_a_number_that_is_near_takes_more_bits(monkeypatch: pytest.MonkeyPatch):
    sigma, x = 100.25, 7
    with localcontext() as context:
        context.prec = 80
        p = Decimal(4) / 5 * (-(x**2) / (2 * Decimal(sigma) ** 2)).exp()
        scaled = p * 2**127
    w, rest = divmod(int(scaled), 2**64)  # p's own first bits, and those that follow
    for more, below in ((rest - 1, True), (rest + 1, False)):
        asked: list[int] = []

        def words(count: int, more: int = more, asked: list[int] = asked) -> np.ndarray:
            asked.append(count)
            return np.array([more], dtype=np.uint64)

        assert sampler._below(w, x, 0, sigma, words) is below
        assert asked == [1]


def test_what_is_proposed_is_kept_with_a_probability():
    for sigma in (32.0, 32.999, 1e3 + 0.5, 2.0**45):
        t = int(sigma) + 1
        heads = np.arange(20)[:, None]
        x = t * heads + np.linspace(0, t - 1, 50)
        assert (0.8 * 2.0**heads * np.exp(-((x / sigma) ** 2) / 2)).max() < 1


def test_no_two_draws_are_alike_in_a_forked_process_either():
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, discrete_gaussian(32, 1e6).tobytes())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = np.frombuffer(os.read(read, 256), dtype=np.int64)
    mine = discrete_gaussian(32, 1e6)
    assert len(theirs) == 32
    assert not np.array_equal(mine, theirs)


def test_a_seed_does_not_reach_it():
    import random

    import torch

    drawn = []
    for _ in range(2):
        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)
        drawn.append(discrete_gaussian(32, 1e6))
    assert not np.array_equal(*drawn)


def test_only_a_python_argument_replaces_it():
    assert list(inspect.signature(discrete_gaussian).parameters) == ["count", "sigma"]
    assert inspect.signature(Mechanism).parameters["noise"].default is discrete_gaussian


def test_noise_wider_than_can_be_drawn_is_refused():
    with pytest.raises(ConfigError, match="at most"):
        discrete_gaussian(1, 2.0 * sampler.MOST)


@pytest.mark.parametrize("sigma", [0.0, LEAST - 0.01, float("nan"), float("inf")])
def test_coarse_noise_is_refused(sigma: float):
    with pytest.raises(ConfigError, match="at least 32 steps"):
        discrete_gaussian(1, sigma)
