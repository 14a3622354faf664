"""The random features, against plain loops; what trains of them and what does not."""

import numpy as np
import pytest
import torch

from fdd_flower.config import ModelConfig
from fdd_flower.models import build_model
from fdd_flower.models.base import Network

CFG = ModelConfig(name="random-features", width=6)


def make(shape: tuple[int, ...]) -> Network:
    return build_model(CFG, feature_shape=shape, num_classes=3, seed=0)


def test_image_features_against_a_plain_loop():
    x, model = torch.randn(2, 1, 8, 8), make((1, 8, 8))
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)))
    kernel = model.get_buffer("weight")[4, 0].numpy()
    assert kernel.sum() == pytest.approx(0, abs=1e-5)
    assert np.square(kernel).sum() == pytest.approx(1, abs=1e-5)
    relu = [
        [max(0.0, (padded[1, 0, i : i + 5, j : j + 5] * kernel).sum()) for j in range(8)]
        for i in range(8)
    ]
    pooled = np.array(relu).reshape(4, 2, 4, 2).mean(axis=(1, 3)).ravel()
    assert np.allclose(model.features(x)[1, 4 * 16 : 5 * 16].numpy(), pooled, atol=1e-5)


def test_a_large_image_has_the_features_of_its_means():
    x = torch.randn(2, 1, 64, 96)
    means = torch.from_numpy(x.numpy().reshape(2, 1, 32, 2, 32, 3).mean(axis=(3, 5)))
    large, small = make((1, 64, 96)), make((1, 32, 32))
    torch.testing.assert_close(large.features(x), small.features(means))


def test_series_features_against_a_plain_loop():
    x, model = torch.randn(2, 3, 20), make((3, 20))
    weight, bias = model.get_buffer("weight").numpy(), model.get_buffer("bias").numpy()
    assert weight.shape == (8 * 6, 3, 9)
    found = model.features(x)[1].numpy()
    for unit, apart in [(0, 1), (11, 1), (12, 2), (30, 4), (47, 8)]:
        padded = np.pad(x[1].numpy(), ((0, 0), (4 * apart, 4 * apart)))
        seen = [padded[:, t : t + 8 * apart + 1 : apart] for t in range(20)]
        relu = [max(0.0, (part * weight[unit]).sum() + bias[unit]) for part in seen]
        halves = [np.mean(relu[:10]), np.mean(relu[10:])]
        np.testing.assert_allclose(found[2 * unit : 2 * unit + 2], halves, atol=1e-5)


def test_features_of_a_table_hold_its_values_first():
    x, model = torch.randn(5, 4), make((4,))
    found = model.features(x)
    assert found.shape == (5, 4 + 6 * 16)
    assert torch.equal(found[:, :4], x)
    unit = (x[2] * model.get_buffer("weight")[9]).sum() + model.get_buffer("bias")[9]
    assert float(found[2, 4 + 9]) == pytest.approx(max(0.0, float(unit)), abs=1e-6)


def test_only_the_last_layer_trains_and_all_of_it_is_saved():
    model = make((1, 8, 8))
    assert {name for name, _ in model.named_parameters()} == {"head.weight", "head.bias"}
    assert set(model.state_dict()) == {"weight", "bias", "head.weight", "head.bias"}
