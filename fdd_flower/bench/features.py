"""Seeded random features: a fixed embedding that no distiller saw."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor

from fdd_flower.augment import is_image
from fdd_flower.rng import stream

FILTERS, SIDE, POOLED = 96, 5, 4
HIDDEN = FILTERS * POOLED**2  # features of records that are no images
TILE = 512  # records embedded at once


@dataclass(frozen=True, slots=True)
class Features:
    """Random features of records, a constant 1 last.

    Images: relu of 96 random 5x5 convolutions, pooled by means to 4x4: 1,537 features. Other
    records: the values themselves and relu of 1,536 random projections.

    Source: the first layer of random convolutional features as in Coates, Lee and Ng
    (AISTATS 2011) with zero-mean filters; Rahimi and Recht (NIPS 2007) for the idea.
    """

    weight: Tensor  # (filters, c, 5, 5), or (hidden, d)
    bias: Tensor  # (filters,) or (hidden,)
    image: bool

    @torch.no_grad()
    def __call__(self, inputs: Tensor) -> Tensor:
        """Return the features (n, d) of inputs (n, *feature_shape): float32."""
        return torch.cat([self._tile(tile) for tile in inputs.split(TILE)])

    def _tile(self, x: Tensor) -> Tensor:
        if self.image:
            maps = F.relu(F.conv2d(x, self.weight, self.bias, padding=SIDE // 2))
            found = F.adaptive_avg_pool2d(maps, POOLED).flatten(1)
        else:
            flat = x.flatten(1)
            found = torch.cat([flat, F.relu(F.linear(flat, self.weight, self.bias))], dim=1)
        return torch.cat([found, torch.ones(len(x), 1)], dim=1)


def draw_features(feature_shape: tuple[int, ...], *, seed: int) -> Features:
    """Return the features of `seed` for inputs of this shape."""
    rng = stream(seed, "bench", "features")
    if is_image(feature_shape):
        weight = torch.randn(FILTERS, feature_shape[0], SIDE, SIDE, generator=rng)
        weight -= weight.mean(dim=(1, 2, 3), keepdim=True)
        weight /= weight.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        return Features(weight, torch.zeros(FILTERS), image=True)
    size = math.prod(feature_shape)
    weight = torch.randn(HIDDEN, size, generator=rng) / math.sqrt(size)
    return Features(weight, 2 * torch.rand(HIDDEN, generator=rng) - 1, image=False)
