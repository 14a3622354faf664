"""The matching term: moments of rows and records, per group of a class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from fdd_flower.distillers.objectives.moments import mismatch, moments_of, side_by_side
from fdd_flower.distillers.parts.canvas import Canvas
from fdd_flower.distillers.parts.pipeline import Job
from fdd_flower.distillers.parts.views import View


class MatchingTerm:
    """Distance of the moments of the rows of `canvas` from those of the records.

    A network's statistics of the records are computed once, when the term is made.
    """

    def __init__(self, job: Job, views: Sequence[View], canvas: Canvas) -> None:
        self.canvas, self._views = canvas, views
        kind = job.cfg.moments
        self._groups = [
            job.groups(part, canvas.show(index).detach()) for index, part in enumerate(job.parts)
        ]
        self._real = job.prepared(
            [
                lambda i=i, v=v: [
                    side_by_side(
                        (moments_of(v, job.seen(part, i, group.records), kind) for group in groups),
                        len(groups),
                    )
                    for part, groups in zip(job.parts, self._groups, strict=True)
                ]
                for i, v in enumerate(views)
            ]
        )

    def losses(self, step: int) -> Iterator[Tensor]:
        """Yield the loss of `step`, a class at a time."""
        view = step % len(self._real)
        for part, targets in enumerate(self._real[view]):
            features = self._views[view].embed(self.canvas.show(part))
            found = [features[group.rows] for group in self._groups[part]]
            yield torch.stack([mismatch(f, t) for f, t in zip(found, targets, strict=True)]).sum()
