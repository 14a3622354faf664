"""The discrete Gaussian: noise that is a whole number, drawn from the operating system's entropy.

Why whole numbers. Noise in floating point is no Gaussian: which doubles a sum can take tells what
was added (Mironov, "On significance of the least significant bits for differential privacy", CCS
2012), and this project knows no fix that it could prove. Records are therefore clipped and rounded
to integers first (`mechanism.py`), integer noise is added to their integer sum, and no step between
the noise and the wire uses floating point. The sampler is exact: rational arithmetic, no tables, no
logarithms (Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy",
arXiv:2004.00010, Algorithm 3).

Why its privacy is that of the continuous Gaussian. At integer shifts its Renyi divergences are no
larger (shown there), and from `LEAST` steps of standard deviation on, the two have the same
epsilon to less than 1 in 10^4, which the accountant adds.

Where the bits come from. OpenDP calls `RAND_bytes` of the OpenSSL that is linked into it, a
generator that is seeded by getrandom(2), seeded again in a forked process, and takes no seed from
its caller (read off the system calls of opendp 0.16 on Linux). Nothing in a run's configuration, a
node's configuration or the environment reaches it: other noise is a Python argument, for tests.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from fdd_flower.errors import ConfigError

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
    """Draw from the discrete Gaussian, by OpenDP; about 11 microseconds a draw.

    Parameters
    ----------
    count
        How many, at least 0.
    sigma
        Standard deviation, in steps; at least `LEAST`.

    Returns
    -------
    int64 (count,): z with probability in proportion to exp(-z^2 / (2 sigma^2)).

    Raises
    ------
    ConfigError
        If `sigma` is not finite, or below `LEAST`.
    """
    check_steps(sigma)
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_gaussian
    from opendp.metrics import l2_distance
    from opendp.mod import enable_features

    enable_features("contrib")  # OpenDP asks for this word before it adds any noise
    draw = make_gaussian(vector_domain(atom_domain(T="i64")), l2_distance(T="i64"), scale=sigma)
    return np.array(draw([0] * count), dtype=np.int64)


def check_steps(sigma: float) -> None:
    """Check that noise of `sigma` steps is fine enough.

    Raises
    ------
    ConfigError
        If it is not finite, or below `LEAST`.
    """
    if not (math.isfinite(sigma) and sigma >= LEAST):
        raise ConfigError(
            "noise",
            expected=f"a standard deviation of at least {LEAST} steps of the grid",
            got=f"{sigma:g} steps",
            remedy="Use a finer grid or more noise, or share the noise among fewer clients.",
        )
