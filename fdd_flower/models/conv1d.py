"""A small temporal convolutional network, for series of sensor readings."""

from __future__ import annotations

from torch import Tensor, nn

from fdd_flower.config import ModelConfig
from fdd_flower.errors import ConfigError
from fdd_flower.models.base import MODELS, Network

KERNEL = 5
MOST_STEPS = 16  # of the last map: longer series get more blocks


@MODELS.register("conv1d")
class Conv1d(Network):
    """`depth` blocks of conv 5, layer norm, relu and average pooling by 2, then a linear layer.

    The ConvNet of the distillation literature (`convnet`) along time. Differs: blocks are added
    until at most `MOST_STEPS` steps are left; and the norm is over all channels at once, for an
    instance norm takes away what tells lying from standing, the mean of each channel. On held-out
    people of HAPT it was the best of five norms, all within four points (one seed).

    Raises
    ------
    ConfigError
        If one input is not a series (channels, steps).
    """

    def __init__(self, cfg: ModelConfig, feature_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        if len(feature_shape) != 2:
            raise ConfigError(
                "model.name",
                expected="series (channels, steps) for conv1d",
                got=f"conv1d with inputs of shape {tuple(feature_shape)}",
                remedy="Choose auto.",
            )
        channels, steps = feature_shape
        layers: list[nn.Module] = []
        blocks = 0
        while blocks < cfg.depth or steps > MOST_STEPS:
            layers += [
                nn.Conv1d(channels, cfg.width, KERNEL, padding=KERNEL // 2),
                nn.GroupNorm(1, cfg.width),
                nn.ReLU(),
            ]
            if steps > 2:
                layers.append(nn.AvgPool1d(2, ceil_mode=True))
                steps = -(-steps // 2)
            channels = cfg.width
            blocks += 1
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Linear(cfg.width * steps, num_classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the flattened last map, (n, width * steps')."""
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, num_classes)."""
        return self.head(self.features(x))
