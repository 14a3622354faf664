"""Herding: records picked one by one, so that the mean of the picked stays near that of all."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from fdd_flower.distillers._clock import Clock, evenly
from fdd_flower.distillers._pipeline import Job, Pipeline, Rows
from fdd_flower.distillers._views import TILE, View, embed, random_view
from fdd_flower.distillers.base import DISTILLERS


@DISTILLERS.register("herding")
class Herding(Pipeline):
    """Sends real records as they are, picked by herding (Welling, ICML 2009; iCaRL,
    arXiv:1611.07725): only for public data, never for private ones.

    Differs: features of one seeded network, and not of a trained one, so that a client needs
    neither a model nor other classes; where time is short, from fewer records, evenly spaced.
    """

    sends_real: ClassVar[bool] = True

    def _rows(self, job: Job) -> Rows:
        view = random_view(job.cfg, job.plan, 0)
        turns = job.clock.turns(len(job.parts), job.clock.ends)
        rows = []
        for part, turn in zip(job.parts, turns, strict=True):
            count = job.images(part)
            seen = affordable(view, part.inputs, count, clock=job.clock, until=turn)
            rows.append(job.packed(seen[herd(embed(view, seen), count)]))
        return Rows(rows)


def affordable(view: View, inputs: Tensor, count: int, *, clock: Clock, until: float) -> Tensor:
    """Return the records among which `count` can be picked by second `until`: all, or fewer."""
    tile = inputs[:TILE]
    fits = clock.repeats(lambda: herd(embed(view, tile), count), until=until)
    most = int(TILE * fits * min(1.0, len(tile) / count))
    return inputs[evenly(len(inputs), max(count, most))] if most < len(inputs) else inputs


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
    mean, total = unit.mean(dim=0), torch.zeros(features.shape[1])
    squares = unit.square().sum(dim=1)
    left = torch.ones(len(unit), dtype=torch.bool)
    picked = []
    for k in range(1, min(count, len(unit)) + 1):
        # |k mean - total - row|^2 without what is the same for every row.
        distances = squares - 2 * (unit @ (k * mean - total))
        best = int(torch.where(left, distances, torch.inf).argmin())
        picked.append(best)
        left[best] = False
        total = total + unit[best]
    return torch.tensor(picked)
