"""Seeded embedders with a fixed augmentation each, and class statistics under them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fdd_flower import augment
from fdd_flower.config import DistillerConfig, ModelConfig
from fdd_flower.models import build_model
from fdd_flower.models.base import Network
from fdd_flower.rng import derive, stream

TILE = 256  # records embedded at once: a tile of activations that stays in cache


@dataclass(frozen=True, slots=True)
class View:
    """One frozen random network and, for images, one random affine map before it."""

    network: Network
    affine: Tensor | None  # (1, 2, 3)

    def embed(self, inputs: Tensor) -> Tensor:
        """Return features (n, d) of inputs (n, *feature_shape)."""
        if self.affine is not None:
            inputs = augment.warp(inputs, self.affine)
        return self.network.features(inputs)


def build_view(
    cfg: DistillerConfig, feature_shape: tuple[int, ...], *, seed: int, index: int
) -> View:
    """Return view `index` of the public `seed`: the same on every client and on the server."""
    image = augment.is_image(feature_shape)
    model = ModelConfig(
        name="convnet" if image else "mlp", width=cfg.width if image else 8 * cfg.width,
        depth=cfg.depth if image else 1,
    )  # fmt: skip
    network = build_model(
        model, feature_shape=feature_shape, num_classes=2, seed=derive(seed, "view", index)
    )
    network.requires_grad_(False).eval()
    affine = None
    if image and cfg.augment:
        affine = augment.affine_maps(1, *feature_shape[1:], rng=stream(seed, "view-affine", index))
    return View(network, affine)


@torch.no_grad()
def class_statistics(view: View, inputs: Tensor) -> Tensor:
    """Return mean and standard deviation, (2, d), of the features of `inputs`.

    Embeds a tile at a time, so memory does not grow with the client's data.
    """
    total = squares = torch.zeros(())
    for tile in inputs.split(TILE):
        features = view.embed(tile).double()
        total = total + features.sum(dim=0)
        squares = squares + features.square().sum(dim=0)
    mean = total / len(inputs)
    variance = (squares / len(inputs) - mean.square()).clamp_min(0)
    return torch.stack([mean, variance.sqrt()]).float()
