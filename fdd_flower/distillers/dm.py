"""Distribution matching: class by class, the features of few rows match those of all records."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.distillers.objectives.guidance import LogitTerm
from fdd_flower.distillers.objectives.matching import MatchingTerm
from fdd_flower.distillers.objectives.pairs import PairTerm
from fdd_flower.distillers.parts.marginals import with_marginals
from fdd_flower.distillers.parts.optimise import optimise
from fdd_flower.distillers.parts.pipeline import Job, Pipeline, Rows


@DISTILLERS.register("dm")
class DistributionMatching(Pipeline):
    """DM (arXiv:2110.04181), with the moments that `distiller.moments` names.

    Differs from the paper: deviations or covariances are matched beside means; the real side of
    each network is computed once and kept; a network's augmentation is drawn once with it; the
    records of a class are split into groups, each matched by its own rows (`parts/groups`); rows
    start from k-means centres and not from real images; networks may be partly trained, or the
    global model and perturbed copies of it (FedDM, arXiv:2207.09653; FedAF, arXiv:2404.18962);
    with FedAF's, logits are drawn to those of all clients (`_guidance`); Adam with a cosine
    schedule; the columns of a table are given the values of the class in the end: numbers, levels
    and gaps (`parts/marginals`).

    The objective is a sum over classes, so under seeded networks a client with one class solves
    the same problem for it as a client with all.
    """

    groups, guided = True, True

    def _rows(self, job: Job) -> Rows:
        canvas = job.canvas(job.first_rows())
        matching, guide = MatchingTerm(job, job.views(), canvas), LogitTerm(job, canvas)
        pairs = PairTerm(job, canvas)

        def objective(step: int) -> Iterator[Tensor]:
            yield from matching.losses(step)
            yield from guide.losses()
            yield from pairs.losses()

        optimise(canvas, objective, job.cfg, clock=job.clock)
        found = job.found(canvas)
        if len(job.plan.feature_shape) > 1:
            return found
        least, columns = job.cfg.min_records, job.plan.columns
        return Rows(
            [
                with_marginals(rows, part.inputs, least, columns)
                for rows, part in zip(found.inputs, job.parts, strict=True)
            ]
        )
