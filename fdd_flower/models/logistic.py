"""Multinomial logistic regression."""

from __future__ import annotations

from math import prod

from torch import Tensor, nn

from fdd_flower.config import ModelConfig
from fdd_flower.models.base import MODELS, Network


@MODELS.register("logistic")
class Logistic(Network):
    """One linear layer over the flattened input; its features are the input itself."""

    def __init__(self, cfg: ModelConfig, feature_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(prod(feature_shape), num_classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the flattened input, (n, d)."""
        return x.flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, num_classes)."""
        return self.head(self.features(x))
