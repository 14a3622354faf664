"""The discrete Gaussian: noise that is a whole number, drawn from the operating system's entropy.

Why whole numbers. Noise in floating point is no Gaussian: which doubles a sum can take tells what
was added (Mironov, "On significance of the least significant bits for differential privacy", CCS
2012), and this project knows no fix that it could prove. Records are therefore clipped and rounded
to integers first (`mechanism.py`), integer noise is added to their integer sum, and no step between
the noise and the wire uses floating point. The sampler is exact (`sampler.py`).

Why its privacy is that of the continuous Gaussian. At integer shifts its Renyi divergences are no
larger (Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy",
arXiv:2004.00010), and from `LEAST` steps of standard deviation on, the two have the same
epsilon to less than 1 in 10^4, which the accountant adds.

Where the bits come from. `os.urandom`: the operating system's secure generator, getrandom(2) on
Linux, which takes no seed from its caller and needs none after a fork. Nothing in a run's
configuration, a node's configuration or the environment reaches it: other noise is a Python
argument, for tests.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from fdd_flower.errors import ConfigError
from fdd_flower.privacy.sampler import MOST, draws

# Below so many steps a client's noise is too coarse. The sum of M clients' noises is no discrete
# Gaussian, but as good as one of sqrt(M) times the standard deviation, up to a privacy loss of
#     tau <= 10 sum_{k=1}^{M-1} exp(-2 pi^2 sigma^2 k / (k + 1)) <= 10 M exp(-pi^2 sigma^2)
# a coordinate (Kairouz, Liu, Steinke, "The Distributed Discrete Gaussian Mechanism for Federated
# Learning with Secure Aggregation", arXiv:2102.06387). At 32 steps it is below
# 10^-4,000: nil.
LEAST = 32


class Noise(Protocol):
    """Draws noise: `discrete_gaussian`, or in a test what the test wants."""

    def __call__(self, count: int, sigma: float) -> np.ndarray:
        """Return `count` whole numbers, int64 (count,), of standard deviation `sigma` steps."""
        ...


def discrete_gaussian(count: int, sigma: float) -> np.ndarray:
    """Draw from the discrete Gaussian.

    Parameters
    ----------
    count
        How many, at least 0.
    sigma
        Standard deviation, in steps; from `LEAST` to `MOST`.

    Returns
    -------
    int64 (count,): z with probability in proportion to exp(-z^2 / (2 sigma^2)).

    Raises
    ------
    ConfigError
        If `sigma` is not finite, or out of its range.
    """
    check_steps(sigma)
    return draws(count, sigma)


def check_steps(sigma: float) -> None:
    """Check that noise of `sigma` steps is fine enough, and no wider than can be drawn.

    Raises
    ------
    ConfigError
        If it is not finite, below `LEAST`, or above `MOST`.
    """
    if math.isfinite(sigma) and sigma > MOST:
        raise ConfigError(
            "noise",
            expected=f"a standard deviation of at most {MOST} steps of the grid",
            got=f"{sigma:g} steps",
            remedy="Use less noise, or share it among more clients.",
        )
    if not (math.isfinite(sigma) and sigma >= LEAST):
        raise ConfigError(
            "noise",
            expected=f"a standard deviation of at least {LEAST} steps of the grid",
            got=f"{sigma:g} steps",
            remedy="Use a finer grid or more noise, or share the noise among fewer clients.",
        )
