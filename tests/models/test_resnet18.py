"""ResNet-18: no batch norm, torchvision's weights elsewhere, a stem that fits the image."""

import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from fdd_flower.config import ModelConfig
from fdd_flower.models import build_model


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 64, 64)])
def test_it_keeps_no_statistics_of_the_data(shape: tuple[int, ...]) -> None:
    model = build_model(ModelConfig(name="resnet18"), feature_shape=shape, num_classes=5, seed=0)
    norms = [m for m in model.modules() if isinstance(m, nn.GroupNorm)]
    assert len(norms) == 20
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in model.modules())
    assert not list(model.buffers())


@pytest.mark.parametrize(
    ("shape", "stem", "first_map"),
    [
        ((1, 8, 8), (64, 1, 3, 3), 8),
        ((3, 63, 80), (64, 3, 3, 3), 63),
        ((4, 64, 64), (64, 4, 7, 7), 16),
    ],
)
def test_the_stem_fits_the_image(
    shape: tuple[int, ...], stem: tuple[int, ...], first_map: int
) -> None:
    model = build_model(ModelConfig(name="resnet18"), feature_shape=shape, num_classes=5, seed=0)
    body = model.get_submodule("body")
    assert isinstance(body, nn.Sequential)
    first = body[0]
    assert isinstance(first, nn.Conv2d)
    assert tuple(first.weight.shape) == stem
    with torch.no_grad():
        assert body[:4](torch.zeros(1, *shape)).shape[2] == first_map


def test_it_is_torchvisions_network_for_large_colour_images() -> None:
    ours = build_model(
        ModelConfig(name="resnet18"), feature_shape=(3, 64, 64), num_classes=5, seed=0
    )
    theirs = resnet18(num_classes=5, norm_layer=lambda channels: nn.GroupNorm(32, channels))
    # The same tensors in the same order, under other names.
    values = list(ours.state_dict().values())
    theirs.load_state_dict(dict(zip(theirs.state_dict(), values, strict=True)))
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x))
