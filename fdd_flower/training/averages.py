"""The exponential average of a model's weights."""

from __future__ import annotations

import torch
from torch import nn


class WeightAverage:
    """An average of parameters over steps, in which a step counts `decay` times the next one.

    As `torch.optim.swa_utils.AveragedModel` with `get_ema_multi_avg_fn`, whose import alone takes
    over a second: it brings torch's compiler along. The first step sets the average.

    Parameters
    ----------
    decay
        From 0 to 1. It is lowered for `steps` so few that the average would still hold the random
        start.
    """

    def __init__(self, model: nn.Module, *, decay: float, steps: int) -> None:
        self._parameters = list(model.parameters())
        self._averages: list[torch.Tensor] = []
        self._share = 1 - min(decay, 1 - 10 / (steps + 10))

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step."""
        if not self._averages:
            self._averages = [p.detach().clone() for p in self._parameters]
            return
        for average, parameter in zip(self._averages, self._parameters, strict=True):
            average.lerp_(parameter, self._share)

    @torch.no_grad()
    def give(self) -> None:
        """Put the average in place of the model's weights."""
        for average, parameter in zip(self._averages, self._parameters, strict=True):
            parameter.copy_(average)
