"""The baseline's network: its parameter count, and its arithmetic written out by hand."""

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from fdd_flower.config import ModelConfig
from fdd_flower.models import build_model


def parameters(shape: tuple[int, ...], classes: int) -> dict[str, torch.Tensor]:
    model = build_model(ModelConfig(name="cnn"), feature_shape=shape, num_classes=classes, seed=0)
    return dict(model.named_parameters())


def test_it_has_the_parameters_of_the_baseline() -> None:
    shapes = {name: tuple(p.shape) for name, p in parameters((1, 28, 28), 10).items()}
    assert shapes["conv1.weight"] == (6, 1, 5, 5)
    assert shapes["conv2.weight"] == (16, 6, 5, 5)
    assert shapes["fc1.weight"] == (120, 16 * 4 * 4)
    assert shapes["fc2.weight"] == (84, 120)
    assert shapes["fc3.weight"] == (10, 84)
    assert sum(p.numel() for p in parameters((1, 28, 28), 10).values()) == 44_426


def test_it_has_the_parameters_of_the_colour_baseline() -> None:
    assert parameters((3, 32, 32), 10)["fc1.weight"].shape == (120, 16 * 5 * 5)


def conv_relu_pool(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    windows = sliding_window_view(x, (5, 5), axis=(2, 3))  # (n, c, h', w', 5, 5)
    y = np.einsum("nchwij,ocij->nohw", windows, weight) + bias[:, None, None]
    h, w = y.shape[2] // 2, y.shape[3] // 2
    y = np.maximum(y, 0)[:, :, : 2 * h, : 2 * w]
    return y.reshape(*y.shape[:2], h, 2, w, 2).max(axis=(3, 5))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (2, 16, 21)])
def test_it_computes_what_numpy_computes(shape: tuple[int, ...]) -> None:
    model = build_model(ModelConfig(name="cnn"), feature_shape=shape, num_classes=7, seed=2)
    p = {name: value.detach().double().numpy() for name, value in model.named_parameters()}
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    h = conv_relu_pool(x.double().numpy(), p["conv1.weight"], p["conv1.bias"])
    h = conv_relu_pool(h, p["conv2.weight"], p["conv2.bias"]).reshape(3, -1)
    h = np.maximum(h @ p["fc1.weight"].T + p["fc1.bias"], 0)
    h = np.maximum(h @ p["fc2.weight"].T + p["fc2.bias"], 0)
    np.testing.assert_allclose(model.features(x).detach().numpy(), h, atol=1e-5)
    logits = h @ p["fc3.weight"].T + p["fc3.bias"]
    np.testing.assert_allclose(model(x).detach().numpy(), logits, atol=1e-5)
