"""ConvNet: closed-form parameter counts, numpy's norms and pools, and tiny images."""

import numpy as np
import pytest
import torch
from torch import nn

from fdd_flower.config import ModelConfig
from fdd_flower.models import build_model
from fdd_flower.models.convnet import HalvePool


def convnet(shape: tuple[int, ...], *, width: int = 8, depth: int = 3) -> nn.Module:
    cfg = ModelConfig(name="convnet", width=width, depth=depth)
    return build_model(cfg, feature_shape=shape, num_classes=10, seed=0)


@pytest.mark.parametrize(
    ("shape", "width", "depth", "last"),
    [
        ((3, 32, 32), 128, 3, 4 * 4),
        ((1, 28, 28), 32, 3, 4 * 4),
        ((1, 8, 8), 8, 3, 2 * 2),
        ((2, 9, 5), 8, 2, 3 * 2),
        ((3, 32, 32), 8, 1, 16 * 16),
        ((1, 2, 40), 8, 5, 2 * 2),
    ],
)
def test_parameters_follow_the_closed_formula(
    shape: tuple[int, ...], width: int, depth: int, last: int
) -> None:
    convolutions = (9 * shape[0] + 1) * width + (depth - 1) * (9 * width + 1) * width
    norms = 2 * width * depth
    linear = (width * last + 1) * 10
    model = convnet(shape, width=width, depth=depth)
    assert sum(p.numel() for p in model.parameters()) == convolutions + norms + linear


def test_the_norm_is_numpys_over_each_image_and_channel() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(3, 2, (5, 8, 4, 3))
    body = convnet((1, 8, 8)).get_submodule("body")
    assert isinstance(body, nn.Sequential)
    centred = x - x.mean(axis=(2, 3), keepdims=True)
    expected = centred / np.sqrt(x.var(axis=(2, 3), keepdims=True) + 1e-5)
    found = body[1].double()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize(
    ("sides", "windows", "last"),
    [
        ((63, 32), (3, 3), 8 * 4),
        ((64, 64), (5, 5), 4 * 4),
        ((160, 160), (11, 11), 4 * 4),
        ((224, 70), (15, 5), 4 * 5),
    ],
)
def test_the_first_convolution_brings_a_large_image_to_the_size_of_a_small_one(
    sides: tuple[int, int], windows: tuple[int, int], last: int
) -> None:
    model = convnet((3, *sides))
    first = next(layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
    assert first.kernel_size == windows
    head = model.get_submodule("head")
    assert isinstance(head, nn.Linear)
    assert head.in_features == 8 * last
    assert model(torch.zeros(2, 3, *sides)).shape == (2, 10)


@pytest.mark.parametrize("sides", [(7, 7), (6, 9), (3, 2)])
def test_pooling_averages_every_pixel_and_no_other(sides: tuple[int, int]) -> None:
    model = convnet((1, *sides), depth=1)
    x = torch.rand(2, 1, *sides, generator=torch.Generator().manual_seed(0))
    body = model.get_submodule("body")
    assert isinstance(body, nn.Sequential)
    before = body[:3](x).detach().numpy()
    step = [2 if side > 2 else 1 for side in sides]
    rows, columns = (range(0, side, by) for side, by in zip(sides, step, strict=True))
    means = [
        [before[:, :, i : i + step[0], j : j + step[1]].mean(axis=(2, 3)) for j in columns]
        for i in rows
    ]
    expected = np.moveaxis(np.array(means), (0, 1), (2, 3)).reshape(2, -1)
    np.testing.assert_allclose(body(x).detach().numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sides", [(2, 2), (2, 3), (3, 3), (4, 4), (5, 17), (8, 8)])
def test_tiny_images_stay_told_apart_at_any_depth(sides: tuple[int, int]) -> None:
    model = convnet((1, *sides), depth=6)
    maps = []
    for layer in model.modules():
        if isinstance(layer, nn.GroupNorm):
            layer.register_forward_hook(lambda _m, args, _o: maps.append(args[0].shape[2:]))
    x = torch.randn(3, 1, *sides, generator=torch.Generator().manual_seed(0))
    logits = model(x)
    assert all(min(sides) >= 2 for sides in maps)
    assert bool((logits[0] - logits[1]).abs().max() > 1e-4)


@pytest.mark.parametrize("by", [(2, 2), (2, 1), (1, 2), (1, 1)])
@pytest.mark.parametrize("sides", [(8, 6), (7, 5), (3, 4), (1, 2)])
def test_the_fast_pool_is_torchs_pool_with_its_gradient(by, sides):
    x = torch.randn(2, 3, *sides, dtype=torch.double, requires_grad=True)
    fast, slow = HalvePool(*by)(x), nn.AvgPool2d(by, ceil_mode=True)(x)
    torch.testing.assert_close(fast, slow)
    weights = torch.randn_like(slow)
    (got,) = torch.autograd.grad((fast * weights).sum(), x)
    (want,) = torch.autograd.grad((slow * weights).sum(), x)
    torch.testing.assert_close(got, want)
