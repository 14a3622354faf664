"""Distribution matching: class by class, the features of few rows match those of all records."""

from __future__ import annotations

import torch
from torch import Tensor

from fdd_flower.config import DistillerConfig
from fdd_flower.data.base import Split
from fdd_flower.distillers._start import start_rows
from fdd_flower.distillers._views import View, build_view, class_statistics
from fdd_flower.distillers.base import (
    DISTILLERS,
    ClassRecords,
    Distilled,
    Plan,
    assemble,
    usable_classes,
)
from fdd_flower.errors import DistillError
from fdd_flower.synthetic_set import SyntheticSet

EPSILON = 1e-6  # under the square root, whose slope at zero is infinite


@DISTILLERS.register("dm")
class DistributionMatching:
    """DM (arXiv:2110.04181) with means and standard deviations under cached seeded networks.

    Differs from the paper: deviations are matched beside means; the real side of each
    network is computed once and kept; a network's augmentation is drawn once with it;
    rows start from k-means centres and not from real images; Adam with a cosine schedule.

    The objective is a sum over classes, so a client with one class solves the same problem
    for it as a client with all.
    """

    def __init__(self, cfg: DistillerConfig) -> None:
        self.cfg = cfg

    def distill(
        self, data: Split, *, plan: Plan, start: SyntheticSet | None, rng: torch.Generator
    ) -> Distilled:
        """Return matched rows, at most `ipc` a class; see `Distiller.distill`.

        Raises
        ------
        DistillError
            Also if the loss stops being finite.
        """
        parts, withheld = usable_classes(data, self.cfg)
        rows = [self._first_rows(part, start, rng) for part in parts]
        sizes = [len(r) for r in rows]
        matched = self._match(torch.cat(rows), parts, sizes, plan)
        meta = {"distiller": "dm", "start": self.cfg.start if start is None else "warm"}
        synthetic = assemble(parts, list(matched.split(sizes)), len(data.classes), meta)
        return Distilled(synthetic=synthetic, withheld=withheld)

    def _first_rows(
        self, part: ClassRecords, start: SyntheticSet | None, rng: torch.Generator
    ) -> Tensor:
        if start is not None and bool((start.labels == part.label).any()):
            return start.inputs[start.labels == part.label]
        return start_rows(part, start=self.cfg.start, min_records=self.cfg.min_records, rng=rng)

    def _match(
        self, rows: Tensor, parts: list[ClassRecords], sizes: list[int], plan: Plan
    ) -> Tensor:
        views = [
            build_view(self.cfg, plan.feature_shape, seed=plan.seed, index=i)
            for i in range(min(self.cfg.networks, self.cfg.steps))
        ]
        real = [torch.stack([class_statistics(v, p.inputs) for p in parts]) for v in views]
        rows = rows.clone().requires_grad_()
        adam = torch.optim.Adam([rows], lr=self.cfg.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, self.cfg.steps)
        for step in range(self.cfg.steps):
            view = step % len(views)
            loss = matching_loss(views[view], rows, real[view], sizes)
            if not bool(torch.isfinite(loss)):
                raise DistillError(
                    f"matching loss at step {step}", expected="a finite number",
                    got=float(loss.detach()),
                    remedy=f"Lower distiller.learning-rate (now {self.cfg.learning_rate:g}).",
                )  # fmt: skip
            adam.zero_grad()
            loss.backward()
            adam.step()
            schedule.step()
        return rows.detach()


def matching_loss(view: View, rows: Tensor, real: Tensor, sizes: list[int]) -> Tensor:
    """Return the summed squared distance of class statistics.

    Parameters
    ----------
    rows
        Synthetic rows of all classes, (sum of sizes, *feature_shape), class after class.
    real
        (classes, 2, d): mean and deviation of each class's records under `view`.
    sizes
        Rows of each class. A class of one row has no deviation: only its mean is matched.
    """
    loss = torch.zeros(())
    for features, target in zip(view.embed(rows).split(sizes), real, strict=True):
        mean = features.mean(dim=0)
        loss = loss + (mean - target[0]).square().sum()
        if len(features) > 1:
            deviation = (features.var(dim=0, unbiased=False) + EPSILON).sqrt()
            loss = loss + (deviation - target[1]).square().sum()
    return loss
