"""Herding: records picked one by one so that their mean stays near the mean of all."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.distillers.parts.clock import Clock, evenly
from fdd_flower.distillers.parts.herd import herd
from fdd_flower.distillers.parts.pipeline import Job, Pipeline, Rows
from fdd_flower.distillers.parts.views import TILE, View, embed, random_view


@DISTILLERS.register("herding")
class Herding(Pipeline):
    """Sends real records as they are, picked by herding: for public data, never for private.

    Source: Welling, ICML 2009; iCaRL, arXiv:1611.07725. Differs: features of one seeded network
    instead of a trained one, so that a client needs neither a model nor other classes; where time
    is short, from fewer records, evenly spaced.
    """

    sends_real: ClassVar[bool] = True

    def _rows(self, job: Job) -> Rows:
        view = random_view(job.cfg, job.plan, 0, device=job.device)
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
    if most >= len(inputs):
        return inputs
    return inputs[evenly(len(inputs), max(count, most), device=inputs.device)]
