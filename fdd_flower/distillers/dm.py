"""Distribution matching: class by class, the features of few rows match those of all records."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from fdd_flower.distillers._moments import mismatch, moments_of
from fdd_flower.distillers._optimise import optimise
from fdd_flower.distillers._pipeline import Job, Pipeline, Rows
from fdd_flower.distillers.base import DISTILLERS


@DISTILLERS.register("dm")
class DistributionMatching(Pipeline):
    """DM (arXiv:2110.04181), with the moments that `distiller.moments` names.

    Differs from the paper: deviations or covariances are matched beside means; the real side of
    each network is computed once and kept; a network's augmentation is drawn once with it; rows
    start from k-means centres and not from real images; networks may be partly trained, or the
    global model and perturbed copies of it (FedDM, arXiv:2207.09653; FedAF, arXiv:2404.18962);
    Adam with a cosine schedule.

    The objective is a sum over classes, so under seeded networks a client with one class solves
    the same problem for it as a client with all.
    """

    def _rows(self, job: Job) -> Rows:
        views = job.views()
        kind = job.cfg.moments
        real = job.prepared(
            [
                lambda i=i, v=v: [moments_of(v, job.seen(p, i), kind) for p in job.parts]
                for i, v in enumerate(views)
            ]
        )
        canvas = job.canvas(job.first_rows())

        def objective(step: int) -> Iterator[Tensor]:
            view = step % len(real)
            for part, target in enumerate(real[view]):
                yield mismatch(views[view].embed(canvas.show(part)), target)

        optimise(canvas, objective, job.cfg, clock=job.clock)
        return job.found(canvas)
