"""The features under the bench's ridge model: random ones, which no distiller saw."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fdd_flower.config import ModelConfig
from fdd_flower.models import build_model
from fdd_flower.models.base import Network
from fdd_flower.rng import derive

WIDTH = 96  # of the model `random-features`: 1,536 features of an image
TILE = 512  # records embedded at once


@dataclass(frozen=True, slots=True)
class Features:
    """Features of records, a constant 1 last."""

    network: Network

    @torch.no_grad()
    def __call__(self, inputs: Tensor) -> Tensor:
        """Return the features (n, d) of inputs (n, *feature_shape): float32."""
        found = torch.cat([self.network.features(tile) for tile in inputs.split(TILE)])
        return torch.cat([found, torch.ones(len(found), 1)], dim=1)


def draw_features(feature_shape: tuple[int, ...], *, seed: int) -> Features:
    """Return the features of `seed` for inputs of this shape.

    `krr` may distil under features of the same family, never under these: seeds are derived from
    different names.
    """
    model = ModelConfig(name="random-features", width=WIDTH)
    seed = derive(seed, "bench", "features")
    return Features(build_model(model, feature_shape=feature_shape, num_classes=2, seed=seed))
