"""The last layer of a network, fitted in closed form to sums of many parties' features."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor, nn

from fdd_flower.device import on_host
from fdd_flower.models.base import Network
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.finish.sums import Sums, regression

# Chosen on held-out training records of Fashion-MNIST (docs/decisions/0013-a-round-that-gains.md).
DAMPING = 0.01  # of the set's own Gram matrix, in mean diagonals, before it is inverted
LEVELS = 127  # of the basis
TILE = 512
SCALES = tuple(float(scale) for scale in torch.logspace(0, 2, 41))


@dataclass(frozen=True, slots=True)
class Basis:
    """Directions in which the features of a synthetic set are about uncorrelated, of length 1.

    Real records' products of features in them are small but for those of a direction with itself,
    and so take few bits. It depends on what the server sends alone: not a bit on the records.

    Attributes
    ----------
    codes
        An upper triangle (d, d) of int8.
    scales
        Of its columns (d,), float32.
    """

    codes: Tensor
    scales: Tensor

    @classmethod
    def of(cls, features: Tensor, weights: Tensor) -> Basis:
        """Return the basis of `features` (n, d) of a set with `weights` (n,)."""
        x, w = features.double(), weights.double() / weights.sum()
        second = x.T @ (x * w[:, None])
        shift = DAMPING * second.diagonal().mean().clamp_min(torch.finfo(torch.float32).tiny)
        lower = torch.linalg.cholesky(second + shift * torch.eye(len(second)))
        upper = torch.linalg.inv(lower).T.triu()
        scales = (upper.abs().amax(dim=0) / LEVELS).float()
        return cls((upper / scales).round().to(torch.int8), scales)

    def __call__(self, features: Tensor) -> Tensor:
        """Return `features` (n, d) in the basis, float64."""
        return features.double() @ self.matrix

    @property
    def matrix(self) -> Tensor:
        """The basis, (d, d), float64."""
        return self.codes.double() * self.scales


@torch.no_grad()
def features_of(model: Network, inputs: Tensor) -> Tensor:
    """Return the model's penultimate features and a 1 beside them, (n, d + 1), on the CPU."""
    model.eval()
    found = [on_host(model.features(tile)) for tile in inputs.split(TILE)]
    return torch.cat([F.pad(tile, (0, 1), value=1.0) for tile in found])


def last_linear(model: Network, num_classes: int) -> nn.Linear | None:
    """Return the layer that makes logits of features; None where the model has no such layer."""
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    if not layers or layers[-1].out_features != num_classes or layers[-1].bias is None:
        return None
    return layers[-1]


def solve(parts: Iterable[tuple[float, Sums]], basis: Basis) -> Tensor:
    """Return coefficients (d, k) of ridge regression on the features of all parties' records.

    Parameters
    ----------
    parts
        The sums of each party, and how much they count for.
    """
    return basis.matrix @ regression(parts)


@torch.no_grad()
def give(coefficients: Tensor, model: Network, synthetic: SyntheticSet) -> None:
    """Make `coefficients` the last layer of `model`, in place.

    They regress on 0 and 1. As logits they are scaled to fit `synthetic` best, by cross-entropy:
    which class comes first stays as it is.
    """
    layer = last_linear(model, synthetic.num_classes)
    assert layer is not None  # it was checked before the run began
    found = features_of(model, synthetic.inputs).double() @ coefficients
    targets, weights = on_host(synthetic.targets).double(), on_host(synthetic.weights).double()

    def loss(scale: float) -> float:
        return float(weights @ F.cross_entropy(scale * found, targets, reduction="none"))

    scaled = (min(SCALES, key=loss) * coefficients).to(layer.weight)
    layer.weight.copy_(scaled[:-1].T)
    cast(Tensor, layer.bias).copy_(scaled[-1])
