"""Distribution matching on one release: class means of what seeded networks see."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from fdd_flower.config import Config
from fdd_flower.device import HOST
from fdd_flower.distillers.base import Plan
from fdd_flower.distillers.parts.views import embed, random_views
from fdd_flower.releases.base import RELEASES
from fdd_flower.releases.matched import Matched, direction
from fdd_flower.rng import derive


class Embeddings(Matched):
    """Sums of embeddings under `distiller.networks` random networks that all clients share.

    From each embedding that of public noise is taken away, on average: all embeddings have most
    of it in common. Of the rest the direction counts, so that no bound is chosen by looking at
    records.

    Distribution matching (DM, arXiv:2110.04181); differs: what is matched is released once, with
    noise, and serves all steps.
    """

    uses: ClassVar[tuple[str, ...]] = (
        *Matched.uses,
        "distiller.networks",
        "distiller.width",
        "distiller.depth",
    )

    def __init__(self, cfg: Config, plan: Plan, device: torch.device = HOST) -> None:
        super().__init__(cfg, plan, device)
        seeded = replace(plan, seed=derive(plan.seed, "release"))
        self.views = random_views(cfg.distiller, seeded, device=device)
        public = self.public_noise()
        self.centres = [embed(view, public).mean(dim=0) for view in self.views]
        self.block = sum(len(centre) for centre in self.centres) + 1

    @property
    def seeds(self) -> int:
        """Random networks that records are shown to."""
        return len(self.views)

    def pieces(self, inputs: Tensor) -> Iterator[Tensor]:
        """Yield the directions of embeddings, each 1 / sqrt(networks) long."""
        for view, centre in zip(self.views, self.centres, strict=True):
            yield direction(view.embed(inputs) - centre) / math.sqrt(len(self.views))


RELEASES.register("dp-dm")(Embeddings)
