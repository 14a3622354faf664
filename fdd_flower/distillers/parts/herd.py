"""Herding: rows picked one by one so that their mean stays near the mean of all."""

from __future__ import annotations

import torch
from torch import Tensor


def herd(features: Tensor, count: int) -> Tensor:
    """Return places of `count` rows of `features` (n, d) whose running mean follows the whole.

    Rows are scaled to unit length first, as in iCaRL; step k picks the row that brings the mean
    of k rows nearest to the mean of all, each row once.

    Returns
    -------
    Tensor
        int64, (min(count, n),), in the order picked.
    """
    unit = torch.nn.functional.normalize(features, dim=1)
    mean, total = unit.mean(dim=0), unit.new_zeros(features.shape[1])
    squares = unit.square().sum(dim=1)
    left = torch.ones(len(unit), dtype=torch.bool, device=unit.device)
    picked = []
    for k in range(1, min(count, len(unit)) + 1):
        # |k mean - total - row|^2 without what is the same for every row.
        distances = squares - 2 * (unit @ (k * mean - total))
        best = int(torch.where(left, distances, torch.inf).argmin())
        picked.append(best)
        left[best] = False
        total = total + unit[best]
    return torch.tensor(picked, device=unit.device)
