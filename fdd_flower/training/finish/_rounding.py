"""Rounding at random: right in the mean, so that it cancels over many parties."""

from __future__ import annotations

import torch
from torch import Tensor


def rounded(values: Tensor, step: Tensor, *, levels: int, rng: torch.Generator) -> Tensor:
    """Return `values` in steps, each rounded up or down at random, int8.

    Parameters
    ----------
    levels
        The largest code, 1 to 127; the smallest is as far below 0.
    """
    noise = torch.rand(values.shape, generator=rng, dtype=torch.float64)
    return torch.floor(values / step.double() + noise).clamp(-levels, levels).to(torch.int8)
