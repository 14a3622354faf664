"""The matching term of an objective: class by class, moments of the rows and of the records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from fdd_flower.distillers._canvas import Canvas
from fdd_flower.distillers._moments import mismatch, moments_of
from fdd_flower.distillers._pipeline import Job
from fdd_flower.distillers._views import View


class MatchingTerm:
    """Distance of the moments of the rows of `canvas` from those of the records.

    A network's statistics of the records are computed once, when the term is made.
    """

    def __init__(self, job: Job, views: Sequence[View], canvas: Canvas) -> None:
        self.canvas, self._views = canvas, views
        kind = job.cfg.moments
        self._real = job.prepared(
            [
                lambda i=i, v=v: [moments_of(v, job.seen(p, i), kind) for p in job.parts]
                for i, v in enumerate(views)
            ]
        )

    def losses(self, step: int) -> Iterator[Tensor]:
        """Yield the loss of `step`, a class at a time."""
        view = step % len(self._real)
        for part, target in enumerate(self._real[view]):
            yield mismatch(self._views[view].embed(self.canvas.show(part)), target)
