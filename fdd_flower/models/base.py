"""What a model family is."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from fdd_flower.config import ModelConfig
from fdd_flower.registry import Registry

# (settings, feature shape of one input, number of classes) -> untrained network
Builder = Callable[[ModelConfig, tuple[int, ...], int], nn.Module]

MODELS: Registry[Builder] = Registry("model", "fdd_flower.models")
