"""Random augmentation: shifts, scales, rotations and mirrored images; distorted series."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor

SHIFT = 1.0  # pixels, each direction
SCALE = 0.1  # relative, each direction
ANGLE = math.radians(8.0)
SIXTEENTH, TENTH = 1 / 16, 0.1  # of a window, and of a channel's deviation: what distorts a series


def affine_maps(
    count: int,
    height: int,
    width: int,
    *,
    rng: torch.Generator,
    shift: float = SHIFT,
    flip: bool = False,
) -> Tensor:
    """Draw `count` random maps of images (height, width): (count, 2, 3), on the CPU.

    Parameters
    ----------
    shift
        The largest shift in each direction, in pixels.
    flip
        Whether half of the maps mirror an image left to right.
    """
    draw = torch.rand(count, 4, generator=rng) * 2 - 1
    shift_x, shift_y, scale, angle = draw.unbind(dim=1)
    factor, angle = 1 + SCALE * scale, ANGLE * angle
    cos, sin = factor * angle.cos(), factor * angle.sin()
    # affine_grid spans [-1, 1], so a pixel is 2 / side.
    rows = [cos, -sin, 2 * shift / width * shift_x, sin, cos, 2 * shift / height * shift_y]
    maps = torch.stack(rows, dim=1).view(count, 2, 3)
    if flip:
        mirrored = torch.rand(count, generator=rng) < 0.5
        maps[mirrored, :, 0] *= -1
    return maps


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


def distort(series: Tensor, strength: float, *, rng: torch.Generator) -> Tensor:
    """Return series (n, c, t) shifted in time, scaled, and with noise: each by a draw of its own.

    Noise and scales as in Um et al. (ICMI 2017, arXiv:1706.00527); shifts stand for their crops.
    A shift is of up to `strength` sixteenths of the window, and what moves in from outside repeats
    the end; a factor for each channel is normal around 1, and noise around 0, both with a deviation
    of a tenth of `strength`.
    """
    count, channels, steps = series.shape
    most = round(strength * SIXTEENTH * steps)
    shift = torch.randint(-most, most + 1, (count, 1), generator=rng)
    places = (torch.arange(steps) + shift).clamp(0, steps - 1)[:, None].expand(-1, channels, -1)
    moved = series.gather(2, places.to(series.device))
    factor = 1 + strength * TENTH * torch.randn(count, channels, 1, generator=rng)
    noise = strength * TENTH * torch.randn(series.shape, generator=rng)
    return moved * factor.to(series.device) + noise.to(series.device)
