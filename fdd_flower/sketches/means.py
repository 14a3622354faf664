"""Means: class sums of the features of seeded networks, and of their squares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import torch
from torch import Tensor

from fdd_flower.config import DistillerConfig, SketchConfig
from fdd_flower.device import HOST
from fdd_flower.distillers.base import Plan
from fdd_flower.distillers.objectives.moments import Moments, mismatch
from fdd_flower.distillers.parts.canvas import Canvas
from fdd_flower.distillers.parts.views import embed
from fdd_flower.errors import ConfigError
from fdd_flower.sketches._views import seeded_views, width
from fdd_flower.sketches.base import KINDS, Kind, Sketch
from fdd_flower.sketches.integers import LIMIT, ONE, whole
from fdd_flower.wire.arrays import require
from fdd_flower.wire.refusals import Code

FIRST, SECOND = "first", "second"


@KINDS.register("means")
class MomentSums(Kind):
    """Class sums of features under `distiller.networks` seeded networks.

    CollabDM (ECAI 2024, arXiv:2408.02266): the server matches rows to the global class means by
    distribution matching (DM, arXiv:2110.04181), as if all records were in one place. Differs:
    sums of squares travel too, and deviations are matched, unless `distiller.moments = mean`;
    networks are seeded once, not again in each step.
    """

    uses: ClassVar[tuple[str, ...]] = (
        "distiller.networks", "distiller.width", "distiller.depth", "distiller.pool",
        "distiller.augment", "distiller.moments",
    )  # fmt: skip

    def __init__(
        self,
        cfg: SketchConfig,
        distiller: DistillerConfig,
        plan: Plan,
        device: torch.device = HOST,
    ) -> None:
        super().__init__(cfg, distiller, plan, device)
        if distiller.moments == "covariance":
            raise ConfigError(
                "distiller.moments",
                expected="mean or deviation with sketch.kind=means",
                got="covariance",
                remedy="sketch.kind=gram sums products of features.",
            )
        self.views = seeded_views(distiller, plan, device=device)
        self.sizes = [width(view, plan) for view in self.views]

    def own_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the sums of features, network after network, and of their squares."""
        shape = self.classes, sum(self.sizes)
        both = self.distiller.moments == "deviation"
        return {FIRST: shape} | ({SECOND: shape} if both else {})

    def terms(self, inputs: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield features in steps of 1 / ONE, and their squares."""
        found = whole(torch.cat([embed(view, inputs) for view in self.views], dim=1))
        yield FIRST, found
        if SECOND in self.shapes:
            yield SECOND, found.square()

    def largest(self, name: str) -> int:
        """Return the largest term of a sum."""
        return LIMIT**2 if name == SECOND else LIMIT

    def check(self, sketch: Sketch) -> None:
        """Hold squares against sums: no variance is negative.

        Raises
        ------
        RefusedError
            If one is.
        """
        if SECOND not in sketch.sums:
            return
        count, first = sketch.counts[:, None].double(), sketch.sums[FIRST].double()
        spare = count * sketch.sums[SECOND].double() - first.square()
        fits = bool((spare >= -1e-9 * first.square() - 1).all())
        require(fits, SECOND, "sums of squares with these sums", "smaller ones", Code.RANGE)

    def losses(self, total: Sketch, canvas: Canvas, step: int) -> Iterable[Tensor]:
        """Yield how far the moments of each class's rows are off, under one network per step."""
        index = step % len(self.views)
        for part, label in enumerate(canvas.labels):
            found = self.views[index].embed(canvas.show(part))
            yield mismatch(found, self.moments(total, label, index))

    def moments(self, total: Sketch, label: int, index: int) -> Moments:
        """Return the moments of a class's records under network `index`, on `device`."""
        mean = total.sums[FIRST][label].split(self.sizes)[index].double() / ONE
        mean = mean / total.counts[label]
        told = mean.float().to(self.device)
        if SECOND not in total.sums:
            return Moments(told)
        square = total.sums[SECOND][label].split(self.sizes)[index].double() / ONE**2
        variance = (square / total.counts[label] - mean.square()).clamp_min(0)
        return Moments(told, deviation=variance.sqrt().float().to(self.device))
