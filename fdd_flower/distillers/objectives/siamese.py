"""Random augmentations that records and synthetic rows undergo alike."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fdd_flower.schema import is_image
from fdd_flower.training import augment

BRIGHTNESS = 0.5  # added, each direction; inputs have unit variance
CONTRAST = 0.5  # relative, each direction
CUTOUT = 0.5  # side of the square that is cut out, relative
NOISE = 0.1  # deviation of what is added to what is no image


def siamese(feature_shape: tuple[int, ...], *, rng: torch.Generator) -> Callable[[Tensor], Tensor]:
    """Draw one differentiable augmentation of inputs (n, *feature_shape), the same for all n.

    Images get one of three, as in DSA's single mode: an affine map, a change of brightness and
    contrast, or a square cut out. None is flipped: digits and many other images have a hand.
    What is no image gets one noise vector added.
    """
    if not is_image(feature_shape):
        noise = NOISE * torch.randn(feature_shape, generator=rng)
        return lambda inputs: inputs + noise.to(inputs.device)
    kind = int(torch.randint(3, (), generator=rng))
    if kind == 0:
        maps = augment.affine_maps(1, *feature_shape[1:], rng=rng)
        return lambda images: augment.warp(images, maps)
    if kind == 1:
        shift, factor = (torch.rand(2, generator=rng) * 2 - 1).tolist()
        return lambda images: recolour(images, BRIGHTNESS * shift, 1 + CONTRAST * factor)
    mask = square(feature_shape[1], feature_shape[2], rng=rng)
    return lambda images: images * mask.to(images.device)


def recolour(images: Tensor, brightness: float, contrast: float) -> Tensor:
    """Scale images (n, c, h, w) about their own means and add to them."""
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return (images - mean) * contrast + mean + brightness


def square(height: int, width: int, *, rng: torch.Generator) -> Tensor:
    """Return a mask (height, width) of ones with a square of zeros, the mean of normalised data."""
    y, x = torch.rand(2, generator=rng).tolist()
    rows = ((torch.arange(height) + 0.5) / height - y).abs() >= CUTOUT / 2
    columns = ((torch.arange(width) + 0.5) / width - x).abs() >= CUTOUT / 2
    return (rows[:, None] | columns[None]).float()
