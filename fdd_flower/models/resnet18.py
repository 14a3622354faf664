"""ResNet-18 with group norm, which unlike batch norm keeps no statistics of anyone's data."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from fdd_flower.config import ModelConfig
from fdd_flower.models._shapes import image_shape
from fdd_flower.models.base import MODELS, Network

GROUPS = 32  # the default of group norm, arXiv:1803.08494
SMALL = 64  # pixels of a side below which the stem keeps the full resolution


@MODELS.register("resnet18")
class ResNet18(Network):
    """torchvision's ResNet-18 (arXiv:1512.03385) for any number of channels.

    Differs: group norm for batch norm, as in federated work (arXiv:1910.00189); for images
    with a side below 64 pixels the stem is a 3x3 convolution without stride or pooling, as the
    paper has it for CIFAR-10.

    Raises
    ------
    ConfigError
        If one input is not an image of at least 8x8 pixels.
    """

    def __init__(self, cfg: ModelConfig, feature_shape: tuple[int, ...], num_classes: int) -> None:
        # Imported here: torchvision takes seconds to load, and no other family needs it.
        from torchvision.models import resnet18

        super().__init__()
        channels, *sides = image_shape(
            feature_shape, family="resnet18", smallest=8, instead="convnet"
        )
        net = resnet18(num_classes=num_classes, norm_layer=partial(nn.GroupNorm, GROUPS))
        small = min(sides) < SMALL
        kernel, stride, padding = (3, 1, 1) if small else (7, 2, 3)
        stem = nn.Conv2d(channels, 64, kernel, stride=stride, padding=padding, bias=False)
        nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
        self.body = nn.Sequential(
            stem,
            net.bn1,
            net.relu,
            nn.Identity() if small else net.maxpool,
            net.layer1,
            net.layer2,
            net.layer3,
            net.layer4,
            net.avgpool,
            nn.Flatten(),
        )
        self.head = net.fc

    def features(self, x: Tensor) -> Tensor:
        """Return the averaged last map, (n, 512)."""
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, num_classes)."""
        return self.head(self.features(x))
