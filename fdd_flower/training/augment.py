"""Random, differentiable augmentation of images: small shifts, scales and rotations."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor

SHIFT = 1.0  # pixels, each direction
SCALE = 0.1  # relative, each direction
ANGLE = math.radians(8.0)


def affine_maps(count: int, height: int, width: int, *, rng: torch.Generator) -> Tensor:
    """Draw `count` random maps of images (height, width): (count, 2, 3), on the CPU."""
    draw = torch.rand(count, 4, generator=rng) * 2 - 1
    shift_x, shift_y, scale, angle = draw.unbind(dim=1)
    factor, angle = 1 + SCALE * scale, ANGLE * angle
    cos, sin = factor * angle.cos(), factor * angle.sin()
    # affine_grid spans [-1, 1], so a pixel is 2 / side.
    rows = [cos, -sin, 2 * SHIFT / width * shift_x, sin, cos, 2 * SHIFT / height * shift_y]
    return torch.stack(rows, dim=1).view(count, 2, 3)


def warp(images: Tensor, maps: Tensor) -> Tensor:
    """Apply one map to all images, or one map an image.

    Parameters
    ----------
    images
        (n, c, h, w).
    maps
        (1, 2, 3), shared as in siamese augmentation (DSA, arXiv:2102.08259), or (n, 2, 3); on any
        device.

    Returns
    -------
    Tensor
        (n, c, h, w); what moves in from outside repeats the border, because zero is not
        the background of normalised images.
    """
    maps = maps.to(images.device).expand(len(images), 2, 3)
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)
