"""Distances between records, of the same class where there is one."""

from __future__ import annotations

import torch
from torch import Tensor

TILE = 512  # records compared at once


def nearest(
    points: Tensor,
    labels: Tensor,
    rows: Tensor,
    row_labels: Tensor,
    *,
    skip_self: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return the distance of each point to the nearest row of its class, and which row it is.

    A point whose class has no row is as far as the farthest of the others, and its row is -1.

    Parameters
    ----------
    points, rows
        (n, ...) and (m, ...), of one shape.
    skip_self
        `points` are `rows`: none is its own neighbour.
    """
    found = torch.full((len(points),), float("inf"))
    which = torch.full((len(points),), -1)
    points, rows = points.flatten(1), rows.flatten(1)
    for label in labels.unique().tolist():
        own = torch.nonzero(labels == label).flatten()
        near = torch.nonzero(row_labels == label).flatten()
        if len(near) <= skip_self:
            continue
        for tile in own.split(TILE):
            apart = torch.cdist(
                points[tile], rows[near], compute_mode="donot_use_mm_for_euclid_dist"
            )
            if skip_self:
                apart[tile[:, None] == near[None, :]] = float("inf")
            found[tile], place = apart.min(dim=1)
            which[tile] = near[place]
    far = found[found.isfinite()]
    return found.nan_to_num(posinf=float(far.max()) if len(far) else 0.0), which
