"""The k-means centres of each class: a baseline in which every row is a mean of records."""

from __future__ import annotations

import torch

from fdd_flower.config import DistillerConfig
from fdd_flower.data.base import Split
from fdd_flower.distillers._start import kmeans_centres
from fdd_flower.distillers.base import DISTILLERS, Distilled, Plan, assemble, usable_classes
from fdd_flower.synthetic_set import SyntheticSet


@DISTILLERS.register("kmeans")
class KMeansCentres:
    """Sends each class's k-means centres, none of fewer than `min_records` records."""

    def __init__(self, cfg: DistillerConfig) -> None:
        self.cfg = cfg

    def distill(
        self, data: Split, *, plan: Plan, start: SyntheticSet | None, rng: torch.Generator
    ) -> Distilled:
        """Return up to `ipc` centres of each class; see `Distiller.distill`."""
        parts, withheld = usable_classes(data, self.cfg)
        rows = [
            kmeans_centres(part.inputs, part.rows, min_records=self.cfg.min_records, rng=rng)
            for part in parts
        ]
        meta = {"distiller": "kmeans", "start": "kmeans"}
        return Distilled(
            synthetic=assemble(parts, rows, len(data.classes), meta), withheld=withheld
        )
