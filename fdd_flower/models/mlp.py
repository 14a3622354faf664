"""A multi-layer perceptron, for tables and any other input that is no image."""

from __future__ import annotations

from itertools import pairwise
from math import prod

from torch import Tensor, nn

from fdd_flower.config import ModelConfig
from fdd_flower.models.base import MODELS, Network


@MODELS.register("mlp")
class Mlp(Network):
    """`depth` hidden layers of `width` relu units over the flattened input."""

    def __init__(self, cfg: ModelConfig, feature_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise([prod(feature_shape), *[cfg.width] * cfg.depth]):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(cfg.width, num_classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the last hidden layer, (n, width)."""
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, num_classes)."""
        return self.head(self.features(x))
