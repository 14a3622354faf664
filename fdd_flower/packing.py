"""Packing: several down-sampled images in one row, so that the same values hold more images."""

from __future__ import annotations

from dataclasses import replace

import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor

from fdd_flower.synthetic_set import SyntheticSet


def pack(images: Tensor, factor: int) -> Tensor:
    """Return rows that each hold `factor` x `factor` images, down-sampled by area.

    Source: the multi-formation of IDC (arXiv:2205.14959), with equal parts.

    Parameters
    ----------
    images
        (n * factor**2, c, h, w); neighbours on the first axis share a row.
    factor
        1 leaves the images as they are. It need not divide a side: a packed image has
        h // factor by w // factor pixels, and the rest of the row repeats its border.

    Returns
    -------
    Tensor
        (n, c, h, w).
    """
    if factor == 1:
        return images
    count, channels, height, width = images.shape
    small = (height // factor, width // factor)
    cells = F.interpolate(images, size=small, mode="area")
    cells = cells.view(count // factor**2, factor, factor, channels, *small)
    rows = cells.permute(0, 3, 1, 4, 2, 5).reshape(-1, channels, *(s * factor for s in small))
    missing = (0, width - small[1] * factor, 0, height - small[0] * factor)
    return F.pad(rows, missing, mode="replicate")


def unpack_images(rows: Tensor, factor: int) -> Tensor:
    """Return the images in packed rows, up-sampled bilinearly; differentiable.

    Parameters
    ----------
    rows
        (n, c, h, w), as `pack` makes them.

    Returns
    -------
    Tensor
        (n * factor**2, c, h, w).
    """
    if factor == 1:
        return rows
    count, channels, height, width = rows.shape
    small = (height // factor, width // factor)
    cells = rows[:, :, : small[0] * factor, : small[1] * factor]
    cells = cells.reshape(count, channels, factor, small[0], factor, small[1])
    cells = cells.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels, *small)
    return F.interpolate(cells, size=(height, width), mode="bilinear", align_corners=False)


def unpack(packed: SyntheticSet, factor: int) -> SyntheticSet:
    """Return the set of the images in `packed`, each with its row's target and its share of weight.

    A row's images have one target: soft labels of packed sets are those of the row.
    """
    if factor == 1:
        return packed
    return replace(
        packed,
        inputs=unpack_images(packed.inputs, factor).contiguous(),
        targets=packed.targets.repeat_interleave(factor**2, dim=0),
        weights=(packed.weights / factor**2).repeat_interleave(factor**2),
    )
