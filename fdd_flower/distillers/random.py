"""Random real records, sent as they are: the baseline that every distiller must beat."""

from __future__ import annotations

import torch

from fdd_flower.config import DistillerConfig
from fdd_flower.data.base import Split
from fdd_flower.distillers._start import real_rows
from fdd_flower.distillers.base import DISTILLERS, Distilled, Plan, assemble, usable_classes
from fdd_flower.synthetic_set import SyntheticSet


@DISTILLERS.register("random")
class Random:
    """Picks real records uniformly within each class.

    Unsafe by nature: real records leave the client. It exists for comparison.
    """

    def __init__(self, cfg: DistillerConfig) -> None:
        self.cfg = cfg

    def distill(
        self, data: Split, *, plan: Plan, start: SyntheticSet | None, rng: torch.Generator
    ) -> Distilled:
        """Return `ipc` random records of each class; see `Distiller.distill`."""
        parts, withheld = usable_classes(data, self.cfg)
        rows = [real_rows(part, rng=rng) for part in parts]
        meta = {"distiller": "random", "start": "real-unsafe"}
        return Distilled(
            synthetic=assemble(parts, rows, len(data.classes), meta), withheld=withheld
        )
