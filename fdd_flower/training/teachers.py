"""Teachers: what a model says of any input, for another one to learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.ridge import fit_ridge, scores
from fdd_flower.training.ridge_features import Features, draw_features

WIDTH = 64  # 1,024 features: one step more costs less than one of a small network
Teacher = Callable[[Tensor], Tensor]  # from inputs (n, *feature_shape) to probabilities (n, k)

LEAST = 1e-3  # of a class; regression has no bounds, probabilities have


@dataclass(frozen=True, slots=True)
class RidgeTeacher:
    """Ridge regression on random features of the rows of a set.

    Few rows hold a kernel model better than they train a network. That model also knows what
    becomes of a row that is warped, or blended with another one, where a network is otherwise
    told a blend of two labels. The idea of learning from a teacher's outputs is knowledge
    distillation (arXiv:1503.02531); here the teacher has seen no more than the student.
    """

    phi: Features
    coefficients: Tensor  # (d, k), float64

    @classmethod
    def of(cls, part: SyntheticSet, *, seed: int) -> RidgeTeacher:
        """Fit a teacher to `part`; `seed` draws its features."""
        device = part.inputs.device
        phi = draw_features(part.feature_shape, width=WIDTH, seed=seed, device=device)
        return cls(phi, fit_ridge(phi, part.inputs, part.targets, part.weights))

    @torch.no_grad()
    def __call__(self, inputs: Tensor) -> Tensor:
        """Return class probabilities (n, k) of inputs (n, *feature_shape), each at least 1e-3."""
        found = scores(self.phi, self.coefficients, inputs).clamp_min(LEAST).float()
        return found / found.sum(dim=1, keepdim=True)


@dataclass(frozen=True, slots=True)
class NetworkTeacher:
    """What a trained network says: knowledge distillation (arXiv:1503.02531)."""

    network: nn.Module

    @torch.no_grad()
    def __call__(self, inputs: Tensor) -> Tensor:
        """Return class probabilities (n, k) of inputs (n, *feature_shape)."""
        return self.network(inputs).softmax(dim=1)


def readout(teacher: RidgeTeacher) -> dict[str, Tensor]:
    """Return the weights of a model `random-features` that says what `teacher` says."""
    head = teacher.coefficients.float()
    fixed = dict(teacher.phi.network.named_buffers())
    return {**fixed, "head.weight": head[:-1].T.contiguous(), "head.bias": head[-1].clone()}
