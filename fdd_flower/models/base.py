"""What a model family is."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from fdd_flower.config import ModelConfig
from fdd_flower.registry import Registry


class Network(nn.Module):
    """A classifier that also shows its penultimate features."""

    def features(self, x: Tensor) -> Tensor:
        """Return what the last linear layer sees: (n, *feature_shape) -> (n, d)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Return logits: (n, *feature_shape) -> (n, num_classes)."""
        raise NotImplementedError


# (settings, feature shape of one input, number of classes) -> untrained network
Builder = Callable[[ModelConfig, tuple[int, ...], int], Network]

MODELS: Registry[Builder] = Registry("model", "fdd_flower.models")
