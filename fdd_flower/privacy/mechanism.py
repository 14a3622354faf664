"""From a vector a record to a noisy sum: clip, round to a grid, sum, add noise.

What is proved is about integers. A record's vector has whole numbers of an L2 norm of at most
`grid`, checked in integer arithmetic; so one record, added or removed, moves the sum of a client by
at most `grid`, and noise of `sigma * grid` steps is the Gaussian mechanism of noise multiplier
`sigma`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fdd_flower.device import on_host, with_doubles
from fdd_flower.errors import ConfigError
from fdd_flower.privacy.noise import Noise, check_steps, discrete_gaussian

# A norm in floating point is off by up to 2^-53 a number: after this rounding of at most 2^22
# numbers is below it. It costs a billionth of the signal.
_BELOW_ONE = 1 - 2**-30
FINEST = 2**24  # steps of a grid, at most: what 2^20 records sum up to stays exact in doubles too


def clipped(vectors: Tensor) -> Tensor:
    """Return `vectors` in the unit ball: those that are longer are scaled to its surface.

    Parameters
    ----------
    vectors
        (n, d), real; a vector that holds an infinity or NaN becomes the zero vector. A refusal
        would tell the server that there is such a record; a zero vector adds nothing to a sum, as
        a record that is absent.

    Returns
    -------
    float64 (n, d), norms below 1; on the device of `vectors`, or the CPU where that has no doubles.
    """
    vectors = vectors.to(with_doubles(vectors.device)).double()
    vectors = vectors.masked_fill(~vectors.isfinite().all(dim=1, keepdim=True), 0)
    # in two steps, so that squares of huge or tiny numbers neither overflow nor vanish
    largest = vectors.abs().amax(dim=1, keepdim=True)
    directions = vectors / largest.masked_fill(largest == 0, 1)
    norms = directions.norm(dim=1, keepdim=True)  # from 1 to sqrt(d), or 0
    long = norms * largest > _BELOW_ONE
    return torch.where(long, directions / norms * _BELOW_ONE, vectors)


def whole(vectors: Tensor, grid: int, *, parts: int = 1) -> Tensor:
    """Clip `vectors`, share them out, and round them toward zero to whole steps of 1 / `grid`.

    Parameters
    ----------
    vectors
        (n, d), a vector a record; see `clipped`. Pass many long ones in pieces: it takes four
        times their memory.
    parts
        Squared norm of 1 over that of a row: m^2 where a subject may have m records.

    Returns
    -------
    int64 (n, d): the sum of a row's squares is at most grid^2 / parts, exactly.
    """
    steps = (clipped(vectors) * (grid / math.sqrt(parts))).trunc().long()
    # Rounding in floating point cannot have broken the bound, but the guarantee is not left to
    # that: a row beyond it counts for nothing.
    within = steps.square().sum(dim=1, keepdim=True) <= grid**2 // parts
    return steps * within


class Mechanism:
    """The discrete Gaussian mechanism on sums of clipped vectors.

    Parameters
    ----------
    grid
        Steps of the unit: a number x becomes the whole number of x * grid; 1 to `FINEST`.
    sigma
        Noise multiplier: `sigma * grid` steps of noise, at least `noise.LEAST`.
    noise
        Where noise comes from; other than the operating system's entropy only in tests.

    Raises
    ------
    ConfigError
        If `grid` is out of its range, or the noise is too coarse.
    """

    def __init__(self, grid: int, sigma: float, noise: Noise = discrete_gaussian) -> None:
        if not 1 <= grid <= FINEST:
            raise ConfigError(
                "grid", expected=f"1 to {FINEST} steps", got=grid, remedy="Choose another."
            )
        check_steps(sigma * grid)
        self.grid, self.sigma, self._noise = grid, sigma, noise

    def whole(self, vectors: Tensor) -> Tensor:
        """Clip `vectors` (n, d) and round them to whole steps; see `whole`."""
        return whole(vectors, self.grid)

    def release(self, total: Tensor) -> Tensor:
        """Add noise to a client's sum: what may leave, and every call is charged.

        Parameters
        ----------
        total
            int64, of any shape: the sum of rows from `whole`, each in the block of its class.

        Returns
        -------
        int64, of the same shape, on the CPU.
        """
        noise = torch.from_numpy(self._noise(total.numel(), self.sigma * self.grid))
        return on_host(total) + noise.reshape(total.shape)


def share_of(sigma: float, clients: int, colluding: int, dropouts: int) -> float:
    """Return the noise multiplier of each client, where a secure sum hides all but the total.

    Clients that collude with the server tell it their own noise, and noise of clients that drop out
    is missing: what surely remains of the sum is the noise of `clients - colluding - dropouts`
    honest ones, and that is to be at least `sigma`.

    Parameters
    ----------
    sigma
        Noise multiplier of the total, above 0.
    clients
        How many clients begin.
    colluding
        How many of them may side with the server, at most.
    dropouts
        How many may drop out without the sum being given up, at most.

    Returns
    -------
    sigma / sqrt(clients - colluding - dropouts), rounded up.

    Raises
    ------
    ConfigError
        If no client surely remains, or a count is negative.
    """
    remaining = clients - colluding - dropouts
    if min(colluding, dropouts) < 0 or remaining < 1:
        raise ConfigError(
            "noise shared among clients",
            expected="more clients than may collude or drop out",
            got=f"{clients} clients, {colluding} colluding, {dropouts} dropping out",
            remedy="Lower privacy.colluding, wait for more clients, or let each add its own noise.",
        )
    return math.nextafter(sigma / math.sqrt(remaining), math.inf)
