"""Blends of two records: mixup and cutmix."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from fdd_flower.config import TrainingConfig
from fdd_flower.rng import fork
from fdd_flower.schema import is_image


def blend(
    x: Tensor, y: Tensor, cfg: TrainingConfig, *, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Blend a batch by mixup or, for a `cutmix` share of the batches of images, by cutmix."""
    image = is_image(tuple(x.shape[1:]))
    if image and cfg.cutmix > 0 and float(torch.rand((), generator=rng)) < cfg.cutmix:
        return cutmix(x, y, rng=rng)
    return mixup(x, y, cfg.mixup, rng=rng)


def cutmix(x: Tensor, y: Tensor, *, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Put a rectangle of another image (n, c, h, w) into each, of a uniform share of its area.

    CutMix, arXiv:1905.04899; targets are mixed by the area that was replaced.
    """
    n, _, height, width = x.shape
    area, centre_y, centre_x = torch.rand(3, n, 1, 1, generator=rng).to(x.device)
    side = area.sqrt() / 2
    rows = (torch.arange(height, device=x.device).view(1, -1, 1) + 0.5) / height
    columns = (torch.arange(width, device=x.device).view(1, 1, -1) + 0.5) / width
    inside = ((rows - centre_y).abs() < side) & ((columns - centre_x).abs() < side)  # (n, h, w)
    other = torch.randperm(n, generator=rng).to(x.device)
    kept = 1 - inside.float().mean(dim=(1, 2))[:, None]
    return torch.where(inside[:, None], x[other], x), kept * y + (1 - kept) * y[other]


def mixup(x: Tensor, y: Tensor, alpha: float, *, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Blend each row with another one of the batch, a share of Beta(alpha, alpha) each.

    mixup, arXiv:1710.09412.
    """
    if alpha == 0:
        return x, y
    # torch's own Beta takes no generator.
    beta = np.random.default_rng(fork(rng)).beta(alpha, alpha, size=len(x))
    share = torch.from_numpy(beta).float().to(x.device)
    other = torch.randperm(len(x), generator=rng).to(x.device)
    share_x = share.view(-1, *[1] * (x.ndim - 1))
    return (
        share_x * x + (1 - share_x) * x[other],
        share[:, None] * y + (1 - share[:, None]) * y[other],
    )
