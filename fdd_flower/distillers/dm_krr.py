"""Matching and kernel regression at once: a set for trained networks and for kernel models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.distillers.objectives.kernel import KernelTerm
from fdd_flower.distillers.objectives.matching import MatchingTerm
from fdd_flower.distillers.parts.optimise import optimise
from fdd_flower.distillers.parts.pipeline import Job, Pipeline, Rows
from fdd_flower.distillers.parts.views import random_views

KERNELS = 10  # draws of random features: fewer are fitted and not the kernel they stand for


@DISTILLERS.register("dm-krr")
class MatchingAndRegression(Pipeline):
    """The sum of the objectives of `dm` and of `krr`, with the labels that the second learns.

    Sets that fit a kernel train networks badly, and matched sets are poor support for a kernel;
    a set under both objectives keeps most of what each gives (docs/decisions/0003-two-losses.md).
    At ten rows per class it gains four points on ridge and costs networks one. `dm` works on
    the networks that the settings ask for, `krr` on `KERNELS` draws of random features
    (RFAD, arXiv:2210.12067, with one layer).

    Differs from both: the kernel term is weighted by `distiller.kernel-weight` times the distance
    of the moments at the start, so that the setting means the same for any network and data.
    """

    joint, groups = True, True
    ignores: ClassVar[tuple[str, ...]] = ("labels",)

    def _rows(self, job: Job) -> Rows:
        canvas = job.canvas(job.first_rows())
        kernels = replace(job.cfg, pool="random-features", networks=KERNELS)
        views = random_views(kernels, job.plan, device=job.device)
        kernel = KernelTerm(job, views, canvas)
        matching = MatchingTerm(job, job.views(), canvas)
        with torch.no_grad():
            start = sum(float(loss) for loss in matching.losses(0))
        kernel.weight = job.cfg.kernel_weight * start

        def objective(step: int) -> Iterator[Tensor]:
            yield from matching.losses(step)
            yield from kernel.losses(step)

        optimise(canvas, objective, job.cfg, clock=job.clock, extra=[kernel.logits])
        return replace(job.found(canvas), targets=kernel.targets())
