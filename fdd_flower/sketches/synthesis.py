"""From the total of all sketches to a synthetic set, on which any model can be trained."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor

from fdd_flower.distillers.parts.canvas import Canvas
from fdd_flower.distillers.parts.clock import Clock
from fdd_flower.distillers.parts.optimise import optimise
from fdd_flower.sketches.base import INPUTS, Kind, Sketch
from fdd_flower.synthetic_set import SyntheticSet

NOISE = 0.5  # standard deviation round a class mean, where rows of a class would else be alike


def synthesise(kind: Kind, total: Sketch, *, rng: torch.Generator) -> SyntheticSet:
    """Return `distiller.ipc` rows of each class, matched to `total` as `kind` says.

    Each row of a class stands for as many records. No record is at hand: rows start from noise,
    round the mean of a class where `total` has it.

    Raises
    ------
    DistillError
        If a loss stops being finite.
    """
    cfg, labels = kind.distiller, kind.held(total)
    canvas = Canvas(
        [start(kind, total, label, rng=rng) for label in labels], labels, num_classes=kind.classes
    )

    def objective(step: int) -> Iterable[Tensor]:
        return kind.losses(total, canvas, step)

    optimise(canvas, objective, cfg, clock=Clock(cfg.seconds))
    rows = canvas.targets()
    return SyntheticSet(
        inputs=canvas.rows.detach().contiguous(),
        targets=F.one_hot(rows, kind.classes).float(),
        weights=(total.counts.to(rows.device)[rows] / cfg.ipc).float(),
        meta={"sketch": kind.cfg.kind, "start": kind.cfg.start},
        origin=torch.full_like(rows, -1, dtype=torch.int32),  # of all clients together
    )


def start(kind: Kind, total: Sketch, label: int, *, rng: torch.Generator) -> Tensor:
    """Return the rows (ipc, *feature_shape) that a class starts from."""
    noise = torch.randn(kind.distiller.ipc, *kind.plan.feature_shape, generator=rng)
    noise = noise.to(kind.device)
    if INPUTS not in total.sums:
        return noise
    mean = kind.means(total, INPUTS, label).view(1, *kind.plan.feature_shape)
    return mean + NOISE * noise
