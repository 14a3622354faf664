"""The small LeNet-like network of Flower's niid_bench baseline."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor, nn

from fdd_flower.config import ModelConfig
from fdd_flower.models._shapes import image_shape
from fdd_flower.models.base import MODELS, Network


@MODELS.register("cnn")
class Cnn(Network):
    """Two 5x5 convolutions and three linear layers, with the layer names of the baseline.

    Source: `CNN` and `CNNMnist` in
    https://github.com/adap/flower/tree/main/baselines/niid_bench (the network of NIID-Bench,
    arXiv:2102.02079). Differs: any number of channels and any size from 16x16. For (1, 28, 28)
    and 10 classes it has 44,426 parameters, the same as there.

    Raises
    ------
    ConfigError
        If one input is not an image of at least 16x16 pixels.
    """

    def __init__(self, cfg: ModelConfig, feature_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        channels, height, width = image_shape(
            feature_shape, family="cnn", smallest=16, instead="convnet"
        )
        self.conv1 = nn.Conv2d(channels, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * _side(height) * _side(width), 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the 84 hidden units before the last layer, (n, 84)."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return F.relu(self.fc2(F.relu(self.fc1(x.flatten(1)))))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, num_classes)."""
        return self.fc3(self.features(x))


def _side(pixels: int) -> int:
    """Return what a side of `pixels` is after conv 5, pool 2, conv 5, pool 2."""
    return ((pixels - 4) // 2 - 4) // 2
