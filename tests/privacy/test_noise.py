import inspect
import os

import numpy as np
import pytest
from scipy.stats import chi2

from fdd_flower.errors import ConfigError
from fdd_flower.privacy.mechanism import Mechanism
from fdd_flower.privacy.noise import LEAST, discrete_gaussian


def test_draws_follow_the_discrete_gaussian():
    sigma, count = 32.0, 40_000
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


@pytest.mark.parametrize("sigma", [0.0, LEAST - 0.01, float("nan"), float("inf")])
def test_coarse_noise_is_refused(sigma: float):
    with pytest.raises(ConfigError, match="at least 32 steps"):
        discrete_gaussian(1, sigma)
