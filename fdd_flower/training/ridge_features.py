"""Random features of records, drawn from a seed and never trained."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fdd_flower.config import ModelConfig
from fdd_flower.device import HOST
from fdd_flower.models import build_model
from fdd_flower.models.base import Network

TILE = 64  # records embedded at once: a tile of activations that stays in cache


@dataclass(frozen=True, slots=True)
class Features:
    """Features of records, a constant 1 last."""

    network: Network

    @torch.no_grad()
    def __call__(self, inputs: Tensor) -> Tensor:
        """Return the features (n, d) of inputs (n, *feature_shape): float32."""
        found = torch.cat([self.network.features(tile) for tile in inputs.split(TILE)])
        return torch.cat([found, found.new_ones(len(found), 1)], dim=1)


def draw_features(
    feature_shape: tuple[int, ...], *, width: int, seed: int, device: torch.device = HOST
) -> Features:
    """Return the features of the model `random-features` of `width`, for inputs of this shape."""
    model = ModelConfig(name="random-features", width=width)
    network = build_model(model, feature_shape=feature_shape, num_classes=2, seed=seed)
    return Features(network.to(device))
