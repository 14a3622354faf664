"""A linear layer on one layer of fixed random features: a cheap kernel model."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor, nn

from fdd_flower.config import ModelConfig
from fdd_flower.models._shapes import shrinking
from fdd_flower.models.base import MODELS, Network
from fdd_flower.schema import kind_of

SIDE, POOLED = 5, 4
A_UNIT = POOLED**2  # features a unit of width, for images and for all else
TAPS, DILATIONS, PARTS = 9, (1, 2, 4, 8), 2  # of series


class RandomFeatures(Network):
    """Random features that never train, under a linear layer that does.

    Images: relu of `width` random 5x5 convolutions, pooled by means to 4x4. A side of 64 pixels or
    more is first brought to 32 to 63 by means. Series: relu of `2 * width` random convolutions of 9
    steps at each of four dilations, pooled to the means of two halves. Other inputs: the values
    themselves and relu of `16 * width` random projections. `depth` has no effect.

    Source: the convolutional random features of Coates, Lee and Ng (AISTATS 2011), with filters
    of zero mean and unit length; Rahimi and Recht (NIPS 2007) for the idea. The features are
    saved with the weights, so that a saved model is whole.
    """

    weight: Tensor  # (width, c, 5, 5) or (16 * width, d)
    bias: Tensor  # (width,) or (16 * width,)

    def __init__(self, cfg: ModelConfig, feature_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        units, size = A_UNIT * cfg.width, math.prod(feature_shape)
        self.kind = kind_of(feature_shape)
        if self.kind == "image":
            weight = torch.randn(cfg.width, feature_shape[0], SIDE, SIDE)
            weight -= weight.mean(dim=(1, 2, 3), keepdim=True)
            weight /= weight.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
            bias = torch.zeros(cfg.width)
        elif self.kind == "series":
            weight = torch.randn(units // PARTS, feature_shape[0], TAPS)
            weight /= weight.flatten(1).norm(dim=1).view(-1, 1, 1)
            bias = 2 * torch.rand(len(weight)) - 1
        else:
            weight = torch.randn(units, size) / math.sqrt(size)
            bias = 2 * torch.rand(units) - 1
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.head = nn.Linear(size + units if self.kind == "vector" else units, num_classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the random features, (n, 16 * width), after the values of a vector."""
        if self.kind == "image":
            by = shrinking(x.shape[2]), shrinking(x.shape[3])
            if by != (1, 1):
                x = F.avg_pool2d(x, by, ceil_mode=True)
            # in place: maps are large, and an eighth of the time went into writing them again
            maps = F.relu_(F.conv2d(x, self.weight, self.bias, padding=SIDE // 2))
            return F.adaptive_avg_pool2d(maps, POOLED).flatten(1)
        if self.kind == "series":
            return self._along_time(x)
        flat = x.flatten(1)
        return torch.cat([flat, F.relu(F.linear(flat, self.weight, self.bias))], dim=1)

    def _along_time(self, x: Tensor) -> Tensor:
        found = []
        filters = zip(
            self.weight.chunk(len(DILATIONS)),
            self.bias.chunk(len(DILATIONS)),
            DILATIONS,
            strict=True,
        )
        for weight, bias, apart in filters:
            around = apart * (TAPS // 2)
            maps = F.relu_(F.conv1d(x, weight, bias, padding=around, dilation=apart))
            found.append(F.adaptive_avg_pool1d(maps, PARTS).flatten(1))
        return torch.cat(found, dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, num_classes)."""
        return self.head(self.features(x))


MODELS.register("random-features")(RandomFeatures)
