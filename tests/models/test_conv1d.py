"""The temporal network: one block against a plain loop, and blocks by length."""

import numpy as np
import pytest
import torch
from torch import nn

from fdd_flower.config import ModelConfig
from fdd_flower.models import build_model


def make(shape: tuple[int, int], *, depth: int = 1) -> nn.Module:
    cfg = ModelConfig(name="conv1d", width=4, depth=depth)
    return build_model(cfg, feature_shape=shape, num_classes=3, seed=0)


def test_a_block_against_a_plain_loop():
    x, model = torch.randn(2, 3, 9), make((3, 9))
    conv, norm = (
        next(m for m in model.modules() if isinstance(m, kind))
        for kind in (nn.Conv1d, nn.GroupNorm)
    )
    weight, bias = conv.weight.detach().numpy(), conv.bias.detach().numpy()  # type: ignore[union-attr]
    padded = np.pad(x[1].numpy(), ((0, 0), (2, 2)))
    maps = np.array(
        [[(padded[:, t : t + 5] * weight[u]).sum() + bias[u] for t in range(9)] for u in range(4)]
    )
    normed = (maps - maps.mean()) / np.sqrt(maps.var() + norm.eps)
    relu = np.maximum(normed, 0)
    # an odd last step is its own mean
    pooled = [[np.mean(row[t : t + 2]) for t in range(0, 9, 2)] for row in relu]
    found = model.features(x)[1].detach().numpy()  # type: ignore[operator]
    np.testing.assert_allclose(found, np.ravel(pooled), atol=1e-5)


@pytest.mark.parametrize(
    ("steps", "depth", "blocks"), [(128, 1, 3), (128, 5, 5), (16, 2, 2), (1000, 2, 6), (1, 2, 2)]
)
def test_long_series_get_more_blocks(steps: int, depth: int, blocks: int):
    model = make((2, steps), depth=depth)
    assert sum(isinstance(m, nn.Conv1d) for m in model.modules()) == blocks
    assert model(torch.randn(4, 2, steps)).shape == (4, 3)


def test_the_level_of_a_channel_is_seen():
    flat = torch.ones(1, 2, 64) * torch.tensor([[[1.0], [0.0]]])
    other = flat.flip(1)
    model = make((2, 64), depth=3)
    assert float((model(flat) - model(other)).detach().abs().max()) > 1e-2
