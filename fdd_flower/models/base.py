"""What a model family is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

from fdd_flower.config import ModelConfig
from fdd_flower.registry import Registry


class Network(nn.Module, ABC):
    """A classifier that also shows its penultimate features.

    One that has a method `fit` of a `SyntheticSet` is fitted in closed form, where others are
    trained.
    """

    @abstractmethod
    def features(self, x: Tensor) -> Tensor:
        """Return what the last linear layer sees: (n, *feature_shape) -> (n, d)."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Return logits: (n, *feature_shape) -> (n, num_classes)."""


# (settings, feature shape of one input, number of classes) -> untrained network
Builder = Callable[[ModelConfig, tuple[int, ...], int], Network]

MODELS: Registry[Builder] = Registry("model", "fdd_flower.models", helpers=("spectrum",))
