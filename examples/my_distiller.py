"""A distiller of one's own: each row is the mean of a random group of a class's records."""

import torch

from fdd_flower.config import DistillerConfig
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import Distilled, Plan, assemble, usable_classes
from fdd_flower.synthetic_set import SyntheticSet


class GroupMeans:
    """Sends up to `ipc` means of each class, each of at least `min_records` records."""

    def __init__(self, cfg: DistillerConfig) -> None:
        self.cfg = cfg

    def distill(
        self, data: Split, *, plan: Plan, start: SyntheticSet | None, rng: torch.Generator
    ) -> Distilled:
        """Return the means; see `Distiller.distill`."""
        parts, withheld = usable_classes(data, self.cfg)
        rows = []
        for part in parts:
            order = torch.randperm(len(part.inputs), generator=rng)
            groups = part.inputs[order].tensor_split(part.rows)
            rows.append(torch.stack([group.mean(dim=0) for group in groups]))
        meta = {"distiller": "group-means"}
        synthetic = assemble(parts, rows, len(data.classes), meta)
        return Distilled(synthetic=synthetic, withheld=withheld)
