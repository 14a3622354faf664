"""The perceptron and the linear model, against numpy."""

import numpy as np
import pytest
import torch

from fdd_flower.config import ModelConfig
from fdd_flower.models import build_model


@pytest.mark.parametrize("shape", [(13,), (2, 5), (1, 8, 8), (1,)])
@pytest.mark.parametrize(("name", "depth"), [("logistic", 0), ("mlp", 1), ("mlp", 3)])
def test_it_computes_what_numpy_computes(name: str, depth: int, shape: tuple[int, ...]) -> None:
    cfg = ModelConfig(name=name, width=6, depth=max(depth, 1))
    model = build_model(cfg, feature_shape=shape, num_classes=3, seed=0)
    tensors = [p.detach().double().numpy() for p in model.parameters()]
    assert len(tensors) == 2 * (depth + 1)
    x = torch.randn(5, *shape, generator=torch.Generator().manual_seed(0))
    h = x.double().numpy().reshape(5, -1)
    for weight, bias in zip(tensors[:-2:2], tensors[1:-2:2], strict=True):
        h = np.maximum(h @ weight.T + bias, 0)
    np.testing.assert_allclose(model.features(x).detach().numpy(), h, atol=1e-6)
    np.testing.assert_allclose(
        model(x).detach().numpy(), h @ tensors[-2].T + tensors[-1], atol=1e-6
    )
