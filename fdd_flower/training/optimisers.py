"""Adam and SGD by torch's own functions, without its optimiser classes.

The first `torch.optim.Optimizer` of a process imports torch's compiler. That takes a second or
more, and memory, for every message of a client, since a SuperNode starts a process for each. The
functions behind the classes import nothing, and give the same bits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from fdd_flower.device import HOST


class Optimiser(ABC):
    """Moves tensors against their gradients; those without one stay."""

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self._parameters = list(parameters)

    def clear(self) -> None:
        """Forget the gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Take a step of size `rate`."""
        moved = [i for i, p in enumerate(self._parameters) if p.grad is not None]
        gradients = [grad for p in self._parameters if (grad := p.grad) is not None]
        self._move(moved, gradients, rate)

    @abstractmethod
    def _move(self, moved: Sequence[int], gradients: list[Tensor], rate: float) -> None:
        """Move the parameters of these places, in place."""


class Adam(Optimiser):
    """Adam (arXiv:1412.6980) with torch's defaults, by choice with decoupled weight decay.

    As `torch.optim.Adam` and, with `decay`, `torch.optim.AdamW` (arXiv:1711.05101).

    Parameters
    ----------
    fused
        One call for all tensors: ten times faster for a small network, with other roundings.
    """

    def __init__(
        self, parameters: Iterable[Tensor], *, decay: float = 0.0, fused: bool = False
    ) -> None:
        super().__init__(parameters)
        self._decay, self._fused = decay, fused
        self._means = [torch.zeros_like(p) for p in self._parameters]
        self._squares = [torch.zeros_like(p) for p in self._parameters]
        # one call for all has its counts where the weights are; else they are plain numbers
        self._steps = [
            torch.zeros((), device=p.device if fused else HOST) for p in self._parameters
        ]

    def _move(self, moved: Sequence[int], gradients: list[Tensor], rate: float) -> None:
        parameters = [self._parameters[i] for i in moved]
        if self._decay:
            for parameter in parameters:
                parameter.mul_(1 - rate * self._decay)
        adam(
            parameters,
            gradients,
            [self._means[i] for i in moved],
            [self._squares[i] for i in moved],
            [],
            [self._steps[i] for i in moved],
            foreach=False,
            fused=self._fused,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )


class Sgd(Optimiser):
    """Gradient descent with momentum, as `torch.optim.SGD`."""

    def __init__(self, parameters: Iterable[Tensor], *, momentum: float = 0.0) -> None:
        super().__init__(parameters)
        self._momentum = momentum
        self._buffers: list[Tensor | None] = [None for _ in self._parameters]

    def _move(self, moved: Sequence[int], gradients: list[Tensor], rate: float) -> None:
        buffers = [self._buffers[i] for i in moved]
        sgd(
            [self._parameters[i] for i in moved],
            gradients,
            buffers,
            foreach=False,
            weight_decay=0.0,
            momentum=self._momentum,
            lr=rate,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )
        for place, buffer in zip(moved, buffers, strict=True):
            self._buffers[place] = buffer
