"""The model that fits the inputs: chosen by their shape."""

from __future__ import annotations

from fdd_flower.config import ModelConfig
from fdd_flower.models.base import MODELS, Network

SHORTEST = 8  # steps: what is shorter has little that lasts


def choose(feature_shape: tuple[int, ...]) -> str:
    """Return the family for inputs of this shape.

    `cnn` for images whose sides are all from 16 to 63 pixels: below, its two unpadded
    convolutions leave no pixel; above, its first linear layer grows with the area.
    `convnet` for other images, `conv1d` for series of `SHORTEST` steps or more, `mlp` for all else.

    >>> choose((1, 28, 28)), choose((1, 8, 8)), choose((3, 224, 224)), choose((6, 128))
    ('cnn', 'convnet', 'convnet', 'conv1d')
    >>> choose((13,))
    'mlp'
    """
    if len(feature_shape) == 2 and feature_shape[1] >= SHORTEST:
        return "conv1d"
    if len(feature_shape) != 3 or min(feature_shape[1:]) < 2:
        return "mlp"
    sides = feature_shape[1:]
    return "cnn" if min(sides) >= 16 and max(sides) < 64 else "convnet"


@MODELS.register("auto")
def build(cfg: ModelConfig, feature_shape: tuple[int, ...], num_classes: int) -> Network:
    """Build the chosen family under the same settings."""
    return MODELS.get(choose(feature_shape))(cfg, feature_shape, num_classes)
