"""Characteristic functions: class sums of waves along random directions of features."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import torch
from torch import Tensor

from fdd_flower.config import DistillerConfig, SketchConfig
from fdd_flower.device import HOST
from fdd_flower.distillers.base import Plan
from fdd_flower.distillers.ncfm import FREQUENCIES, Wave, discrepancy, frequencies
from fdd_flower.distillers.parts.canvas import Canvas
from fdd_flower.distillers.parts.views import embed
from fdd_flower.rng import stream
from fdd_flower.sketches._views import seeded_views
from fdd_flower.sketches.base import KINDS, Kind, Sketch
from fdd_flower.sketches.integers import ONE, whole
from fdd_flower.wire.arrays import require
from fdd_flower.wire.refusals import Code

COS, SIN = "cos", "sin"
# Of projected noise along a frequency, in radians. Records of a class, digits, Fashion-MNIST
# and wine, deviate in seeded networks by 0.5 to 1.2 times as much as noise does.
SPREADS = (0.75, 1.5, 3.0)
NOISE = 256  # inputs that tell how far features of a network lie apart


@KINDS.register("characteristic")
class CharacteristicSums(Kind):
    """Class sums of exp(i t'z) over features z of seeded networks, at seeded frequencies t.

    The distance is that of NCFM (CVPR 2025, arXiv:2502.20653). Differs, beside what the
    distiller `ncfm` says of itself: frequencies know nothing of the records, as waves add only
    where all clients have the same ones; they are scaled by how far features of noise deviate.
    """

    uses: ClassVar[tuple[str, ...]] = (
        "distiller.networks", "distiller.width", "distiller.depth", "distiller.pool",
        "distiller.augment",
    )  # fmt: skip

    def __init__(
        self,
        cfg: SketchConfig,
        distiller: DistillerConfig,
        plan: Plan,
        device: torch.device = HOST,
    ) -> None:
        super().__init__(cfg, distiller, plan, device)
        self.views = seeded_views(distiller, plan, device=device)
        self.directions = [self._directions(index) for index in range(len(self.views))]

    @torch.no_grad()
    def _directions(self, index: int) -> Tensor:
        """Return the frequencies (d, f) of network `index`, in radians for a feature."""
        rng = stream(self.plan.seed, "sketch-noise", self.plan.round, index)
        noise = torch.randn(NOISE, *self.plan.feature_shape, generator=rng).to(self.device)
        found = embed(self.views[index], noise)
        deviation = found.var(dim=0, unbiased=False).sum().sqrt().clamp_min(1e-6)
        drawn = frequencies(found.shape[1], FREQUENCIES, seed=rng.initial_seed(), index=index)
        spreads = torch.tensor(SPREADS)[torch.arange(FREQUENCIES) % len(SPREADS)]
        return (drawn * spreads).to(self.device) / deviation

    def own_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the sums of cosines and of sines, network after network."""
        shape = self.classes, FREQUENCIES * len(self.views)
        return {COS: shape, SIN: shape}

    def terms(self, inputs: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield cosines and sines in steps of 1 / ONE."""
        pairs = zip(self.views, self.directions, strict=True)
        angle = torch.cat([embed(view, inputs) @ directions for view, directions in pairs], dim=1)
        yield COS, whole(angle.cos())
        yield SIN, whole(angle.sin())

    def largest(self, name: str) -> int:
        """Return the largest term of a sum."""
        return ONE if name in (COS, SIN) else super().largest(name)

    def check(self, sketch: Sketch) -> None:
        """Hold each wave against the records: it is no longer than they are many.

        Raises
        ------
        RefusedError
            If one is.
        """
        length = torch.hypot(sketch.sums[COS].double(), sketch.sums[SIN].double())
        most = (ONE + 1) * sketch.counts[:, None].double()  # rounding may lengthen each by 0.71
        require(bool((length <= most).all()), COS, "waves of so many records", "longer", Code.RANGE)

    def losses(self, total: Sketch, canvas: Canvas, step: int) -> Iterable[Tensor]:
        """Yield the distance of each class's rows from its records, under one network per step."""
        index = step % len(self.views)
        view, directions = self.views[index], self.directions[index]
        for part, label in enumerate(canvas.labels):
            projected = view.embed(canvas.show(part)) @ directions
            yield discrepancy(projected, self.wave(total, label, index))

    def wave(self, total: Sketch, label: int, index: int) -> Wave:
        """Return the characteristic function of a class under network `index`."""
        cos, sin = (self.means(total, name, label).split(FREQUENCIES)[index] for name in (COS, SIN))
        return Wave(cos.new_zeros(FREQUENCIES), cos.new_ones(FREQUENCIES), cos, sin)
