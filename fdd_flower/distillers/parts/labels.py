"""Targets of synthetic rows: one class, a teacher's probabilities, or solved in closed form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from fdd_flower.config import DistillerConfig
from fdd_flower.data.base import Split
from fdd_flower.device import wide
from fdd_flower.distillers.base import Plan, ignored_by, packing_of
from fdd_flower.distillers.objectives.ridge import centred, features, sums_of
from fdd_flower.distillers.parts.clock import SHARE_TO_TEACH, Clock, evenly
from fdd_flower.distillers.parts.packing import Packing
from fdd_flower.distillers.parts.trained import train_embedder
from fdd_flower.distillers.parts.views import TILE, View, random_view
from fdd_flower.models.base import Network
from fdd_flower.rng import derive, stream
from fdd_flower.synthetic_set import SyntheticSet

TEACHER_STEPS = 800  # of a local teacher, the longest of the partly trained networks of decision 2


def teacher_for(
    data: Split, *, cfg: DistillerConfig, plan: Plan, seed: int, clock: Clock
) -> Network | None:
    """Return the teacher that `distiller.labels` asks for, or None.

    `data` are the records of the classes that may be distilled. One class teaches nothing.
    """
    if len(data.labels.unique()) == 1:
        return None
    if cfg.labels == "local":
        seed, marks = derive(seed, "teacher"), (TEACHER_STEPS,)
        return train_embedder(cfg, data, marks=marks, seed=seed, clock=clock, share=SHARE_TO_TEACH)[
            -1
        ]
    return plan.model if cfg.labels == "global" else None


def solves(cfg: DistillerConfig, *, classes: int) -> bool:
    """Tell whether labels of rows of so many classes will be solved when the rows are there."""
    return cfg.labels == "ridge" and classes > 1


def as_sent(synthetic: SyntheticSet, cfg: DistillerConfig) -> SyntheticSet:
    """Return `synthetic` with targets that cost a codec what those to come will cost.

    Soft ones are any probabilities of which a row's own class has more than half.
    """
    soft = cfg.labels != "hard" and len(synthetic.labels.unique()) > 1
    learned = "labels" in ignored_by(cfg.name)
    if not (soft or learned):
        return synthetic
    logits = torch.randn(synthetic.targets.shape, generator=stream(0, "targets"))
    other = logits.softmax(dim=1).to(synthetic.targets.device)
    return replace(synthetic, targets=(synthetic.targets + other) / 2)


def soften(
    synthetic: SyntheticSet,
    data: Split,
    *,
    teacher: Network | None,
    cfg: DistillerConfig,
    plan: Plan,
    clock: Clock,
) -> Tensor:
    """Return targets for the packed rows of `synthetic` by `distiller.labels`.

    Without a teacher, and for a client with one class, labels stay hard.

    Returns
    -------
    Tensor
        float32, (n, num_classes): probabilities. Those of a packed row are the mean over its
        images.
    """
    packing = packing_of(cfg, plan.feature_shape, plan.codec)
    if teacher is not None:
        return taught(synthetic.inputs, teacher, packing=packing)
    if solves(cfg, classes=len(synthetic.labels.unique())):
        device = synthetic.inputs.device
        views = (random_view(cfg, plan, index, device=device) for index in range(cfg.networks))
        return solved(synthetic, data, views, packing=packing, penalty=cfg.ridge, clock=clock)
    return synthetic.targets


@torch.no_grad()
def taught(rows: Tensor, teacher: Network, *, packing: Packing) -> Tensor:
    """Return the teacher's probabilities (n, k) for packed rows (n, *feature_shape)."""
    teacher.eval()
    each = [
        teacher(packing.images(tile)).softmax(dim=1)
        for tile in rows.split(max(1, TILE // packing.cells))
    ]
    return torch.cat(each).view(len(rows), packing.cells, -1).mean(dim=1)


@torch.no_grad()
def solved(
    synthetic: SyntheticSet,
    data: Split,
    views: Iterable[View],
    *,
    packing: Packing,
    penalty: float,
    clock: Clock,
) -> Tensor:
    """Return the labels under which ridge regression on `synthetic` fits `data` best.

    Ridge regression on n synthetic features S (n, d) predicts F W Y for real features F, with
    W = S' (S S' + penalty)^-1. The Y of least squares for real one-hot labels T, averaged over
    views, solves sum (W' G W) Y = sum W' B, with G = F' F and B = F' T: data enters through
    these two sums alone. The label step of KIP (arXiv:2011.00050), here by the normal equations
    and then projected to the simplex.

    Parameters
    ----------
    views
        As many as there is time for, and at least the first; that one, if need be, on a part of
        the records.
    penalty
        Relative to the mean eigenvalue of S S'; also of the outer system.
    """
    num_classes = synthetic.num_classes
    left = right = torch.zeros((), dtype=torch.double)
    started = clock.elapsed
    for done, view in enumerate(views):
        if not done:
            data = _affordable(data, view, clock)
        if not clock.may_prepare(done, started, share=1):
            break
        images = wide(features(view, packing.images(synthetic.inputs)))
        support = images.view(len(synthetic), packing.cells, -1).mean(dim=1)
        sums = sums_of(_batches(view, data))
        kernel = support @ support.T
        solve = torch.linalg.solve(_ridged(kernel, penalty), support).T  # (d, n)
        left = left + solve.T @ wide(sums.gram) @ solve
        right = right + solve.T @ wide(sums.moment)
    prior = 1 / num_classes
    return to_simplex(torch.linalg.solve(_ridged(left, penalty), right) + prior).float()


def _affordable(data: Split, view: View, clock: Clock) -> Split:
    """Return the records that one view has time for: all, or some of every part of `data`."""
    tile = _some(data, TILE)
    fits = clock.repeats(lambda: sums_of(_batches(view, tile)), until=clock.until(1))
    most = max(TILE, int(TILE * fits))
    return _some(data, most) if most < len(data) else data


def _some(data: Split, most: int) -> Split:
    places = evenly(len(data), most, device=data.inputs.device)
    return data.take(places)


def _batches(view: View, data: Split) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    for inputs, labels in zip(data.inputs.split(TILE), data.labels.split(TILE), strict=True):
        targets = torch.nn.functional.one_hot(labels, len(data.classes)).float()
        yield features(view, inputs), centred(targets), targets.new_ones(len(labels))


def _ridged(matrix: Tensor, penalty: float) -> Tensor:
    size = len(matrix)
    same = torch.eye(size, dtype=matrix.dtype, device=matrix.device)
    return matrix + penalty * matrix.trace() / size * same


def to_simplex(rows: Tensor) -> Tensor:
    """Return the nearest probabilities to each row of (n, k), in Euclidean distance.

    The algorithm of arXiv:1101.6081 (Chen and Ye), which sorts once.
    """
    ranked = rows.sort(dim=1, descending=True).values
    ranks = torch.arange(1, rows.shape[1] + 1, dtype=rows.dtype, device=rows.device)
    shift = (ranked.cumsum(dim=1) - 1) / ranks
    kept = (ranked > shift).sum(dim=1, keepdim=True)
    return (rows - shift.gather(1, kept - 1)).clamp_min(0)
