"""ConvNet: the network on which dataset distillation reports its results."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from fdd_flower.config import ModelConfig
from fdd_flower.models._shapes import image_shape, shrinking
from fdd_flower.models.base import MODELS, Network


@MODELS.register("convnet")
class ConvNet(Network):
    """`depth` blocks of conv 3x3, instance norm, relu and 2x2 average pooling, then a linear layer.

    Source: `ConvNet` in https://github.com/VICO-UoE/DatasetCondensation (DC, arXiv:2006.05929;
    DM, arXiv:2110.04181). Differs: 28x28 images are not padded to 32x32; instead an odd side is
    pooled to half of it rounded up, which gives the same 4x4 map at depth 3. A side is pooled
    only while that leaves 2 pixels of it, so small images work at any depth, and no norm ever
    sees a 1x1 map, on which instance norm returns zero whatever the image. A side of 64 pixels or
    more is brought to 32 to 63 by the stride of the first convolution, whose window grows with it:
    a step then takes about as long as one at 32x32, and the last map keeps its size.

    Raises
    ------
    ConfigError
        If one input is not an image of at least 2x2 pixels.
    """

    def __init__(self, cfg: ModelConfig, feature_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        channels, *sides = image_shape(
            feature_shape, family="convnet", smallest=2, instead="mlp or logistic"
        )
        layers: list[nn.Module] = []
        stride = (shrinking(sides[0]), shrinking(sides[1]))
        sides = [-(-side // by) for side, by in zip(sides, stride, strict=True)]
        for _ in range(cfg.depth):
            pool = [2 if side > 2 else 1 for side in sides]
            window = (2 * stride[0] + 1, 2 * stride[1] + 1)
            layers += [
                nn.Conv2d(channels, cfg.width, window, padding=stride, stride=stride),
                nn.GroupNorm(cfg.width, cfg.width),  # of the norms the best in decision 6
                nn.ReLU(),
                HalvePool(*pool),
            ]
            channels, stride = cfg.width, (1, 1)
            sides = [-(-side // by) for side, by in zip(sides, pool, strict=True)]
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Linear(cfg.width * sides[0] * sides[1], num_classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the flattened last map, (n, width * height' * width')."""
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, num_classes)."""
        return self.head(self.features(x))


class HalvePool(nn.Module):
    """Average pooling by 1 or 2 a side that rounds up and counts real pixels only.

    The same as `AvgPool2d((rows, columns), ceil_mode=True)`. Slices are used because torch's own
    pooling took a quarter of a training step on a CPU; and gradients of its own (`_Pool`), because
    those of slices are each as large as the input, to be added up.
    """

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.by = (rows, columns)

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, c, h, w) pooled, a side of s pixels to ceil(s / by)."""
        return x if self.by == (1, 1) else _Pool.apply(x, self.by)


class _Pool(torch.autograd.Function):
    """The pooling; `_Spread` is its transpose, and each is the gradient of the other."""

    generate_vmap_rule = True  # for gradients by record

    @staticmethod
    def forward(x: Tensor, by: tuple[int, int]) -> Tensor:
        if by[1] == 2:
            x = _even(x, 3)
            x = x[..., 0::2] + x[..., 1::2]
        if by[0] == 2:
            x = _even(x, 2)
            x = x[..., 0::2, :] + x[..., 1::2, :]
        return x.div_(by[0] * by[1])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, tuple[int, int]], output: Tensor) -> None:
        x, ctx.by = inputs
        ctx.sides = x.shape[2:]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return _Spread.apply(grads[0], ctx.by, ctx.sides), None


class _Spread(torch.autograd.Function):
    """Each value in equal shares over the pixels that it is the mean of."""

    generate_vmap_rule = True

    @staticmethod
    def forward(g: Tensor, by: tuple[int, int], sides: tuple[int, int]) -> Tensor:
        rows, columns = by
        n, c, height, width = g.shape
        x = g.new_empty(n, c, height, rows, width, columns)
        share = g / (rows * columns)
        for column in range(columns):
            x[:, :, :, 0, :, column] = share
        x[:, :, :, 1:] = x[:, :, :, :1]
        x = x.view(n, c, height * rows, width * columns)
        return _folded(_folded(x, 2, sides[0]), 3, sides[1])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.by = inputs[1]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return _Pool.apply(grads[0], ctx.by), None, None


def _even(x: Tensor, dim: int) -> Tensor:
    """Return `x` with the last slice of an odd side twice, so that its mean is itself."""
    size = x.shape[dim]
    return torch.cat([x, x.narrow(dim, size - 1, 1)], dim) if size % 2 else x


def _folded(x: Tensor, dim: int, size: int) -> Tensor:
    """Return `x` at the side that it had before `_even`: what the last slice got twice, in one."""
    if x.shape[dim] == size:
        return x
    x.narrow(dim, size - 1, 1).add_(x.narrow(dim, size, 1))
    return x.narrow(dim, 0, size).contiguous()
