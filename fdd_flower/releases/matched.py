"""Rows matched to noisy class means of what public networks say of a record."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor

from fdd_flower.device import on_host
from fdd_flower.distillers.parts.canvas import Canvas
from fdd_flower.distillers.parts.clock import Clock
from fdd_flower.distillers.parts.optimise import optimise
from fdd_flower.models.spectrum import Spectrum
from fdd_flower.releases.base import COUNT, Learned, Release, Total, in_tiles
from fdd_flower.rng import stream
from fdd_flower.schema import is_image
from fdd_flower.synthetic_set import SyntheticSet

PUBLIC = 256  # draws of noise that constants are worked out from
ROOM = math.sqrt(1 - COUNT**2)  # what the count leaves of a norm of 1
TINY = 1e-12


class Matched(Release):
    """Per class, the sum of what public networks say of each record, and the count last.

    The server divides the sum of a class by its noisy count, and optimises rows, from noise, until
    the mean of what the networks say of them is near that: the squared distance, in which noise
    of the sum is a constant, as far as rows cannot follow it.
    """

    uses: ClassVar[tuple[str, ...]] = (
        "distiller.ipc",
        "distiller.steps",
        "distiller.learning-rate",
        "distiller.seconds",
    )

    @abstractmethod
    def pieces(self, inputs: Tensor) -> Iterator[Tensor]:
        """Yield, network by network, what it says of inputs (n, *feature_shape): (n, d) each.

        Side by side the pieces of a record have a norm of at most 1. Gradients flow through them.
        """

    def vectors(self, inputs: Tensor) -> Tensor:
        """Return the pieces, side by side, and the constant `COUNT`."""

        def beside(tile: Tensor) -> Tensor:
            return torch.cat(list(self.pieces(tile)), dim=1) * ROOM

        return F.pad(in_tiles(beside, inputs), (0, 1), value=COUNT)

    def counts(self, total: Total) -> Tensor:
        """Return the noisy records of each class."""
        return self.blocks(total.values)[:, self.block - 1] / COUNT

    def count_noise(self, total: Total) -> Tensor:
        """Return the standard deviation of the noise in `counts`."""
        return self.blocks(total.noise)[:, self.block - 1] / COUNT

    def held(self, total: Total) -> Tensor:
        """Return the classes that rows are made of, (m,): at least the likeliest one."""
        counts, there = self.counts(total), self.present(total)
        return (there if bool(there.any()) else counts == counts.max()).nonzero()[:, 0]

    def learn(self, total: Total, *, rng: torch.Generator) -> Learned:
        """Return rows matched to the class means."""
        return Rows(self.rows(total, rng=rng))

    def rows(self, total: Total, *, rng: torch.Generator) -> SyntheticSet:
        """Return `distiller.ipc` rows of each class, which stand for its noisy count of records.

        Raises
        ------
        DistillError
            If a loss stops being finite.
        """
        cfg, held = self.cfg.distiller, self.held(total)
        counts = self.counts(total)[held].clamp_min(1)
        means = self.blocks(total.values)[held, : self.block - 1] / counts[:, None] / ROOM
        means = means.float().to(self.device)
        start = [self.noise(cfg.ipc, rng=rng) for _ in held]
        canvas = Canvas(start, held.tolist(), num_classes=self.classes)

        def objective(step: int) -> Iterator[Tensor]:
            del step
            done = 0
            for piece in self.pieces(canvas.show_all()):
                found = torch.stack([part.mean(dim=0) for part in piece.split(canvas.sizes)])
                wanted = means[:, done : (done := done + piece.shape[1])]
                yield (found - wanted).square().sum()

        optimise(canvas, objective, cfg, clock=Clock(cfg.seconds))
        labels = canvas.targets()
        return SyntheticSet(
            inputs=canvas.rows.detach().contiguous(),
            targets=F.one_hot(labels, self.classes).float(),
            weights=(counts / cfg.ipc).float().repeat_interleave(cfg.ipc).to(labels.device),
            meta={"privacy": self.cfg.privacy.mode},
            origin=torch.full_like(labels, -1, dtype=torch.int32),  # of all clients together
        )

    def public_noise(self) -> Tensor:
        """Return `PUBLIC` draws of noise, the same for all who know the plan."""
        return self.noise(PUBLIC, rng=stream(self.plan.seed, "release-noise"))

    def noise(self, count: int, *, rng: torch.Generator) -> Tensor:
        """Return noise (count, *feature_shape) that rows start from; of images, of their spectrum.

        No network sees the high frequencies of white noise well, so they would stay in the rows.
        """
        shape = self.plan.feature_shape
        if not is_image(shape):
            return torch.randn(count, *shape, generator=rng).to(self.device)
        spectrum = Spectrum(shape)
        noise = torch.randn(count, spectrum.size - 1, generator=rng)
        return spectrum.inputs(F.pad(noise, (0, 1))).to(self.device)


@dataclass(frozen=True)
class Rows(Learned):
    """Rows, and every draw is all of them."""

    found: SyntheticSet

    def draw(self, rows: int, *, rng: torch.Generator) -> SyntheticSet:
        """Return the rows; there are `distiller.ipc` of a class, whatever `rows` is."""
        del rows, rng
        return on_host(self.found)


def direction(vectors: Tensor) -> Tensor:
    """Return `vectors` (n, d) at a length of 1; zeros stay what they are."""
    return vectors / vectors.norm(dim=1, keepdim=True).clamp_min(TINY)
