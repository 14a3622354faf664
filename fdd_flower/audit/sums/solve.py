"""Which of known vectors are in a sum, solved for all of them together by ridge regression."""

from __future__ import annotations

import torch
from torch import Tensor

RIDGE = 0.3  # of the mean square of what a coin changes, at least: as good as any from 0.03 to 3


def solved(left: Tensor, effects: Tensor, *, noise: float = 0.0, ridge: float = RIDGE) -> Tensor:
    """Return how surely each of n fair coins came up, (n,): above 0, it rather did.

    A release says left = sum of t_i effect_i + an error, with t_i = 1/2 or -1/2. With the ridge
    solution (K + r)^-1 E left, K = E E', a coin is told by its residual when it is left out,
    t_i / (1 - h_i), where h_i is its leverage: the log-likelihood ratio, up to a factor, where
    the error and the other coins are Gaussian.

    Parameters
    ----------
    left
        (d,): the sum, less what it would be with every coin at a half.
    effects
        (n, d): what each coin adds if it comes up.
    noise
        Standard deviation of the error in each number of `left`, as far as it is known.
    ridge
        Of the mean square of what a coin changes, at least.
    """
    gram = effects @ effects.T
    least = ridge * gram.diagonal().mean().clamp_min(1e-12)
    gram.diagonal().add_(least.clamp_min((2 * noise) ** 2))  # a coin has the variance 1/4
    inverse = torch.linalg.inv(gram)
    return (inverse @ (effects @ left)) / inverse.diagonal().clamp_min(1e-12)
