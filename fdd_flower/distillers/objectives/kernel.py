"""The kernel term of an objective: rows and labels on which ridge regression fits the records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor

from fdd_flower.device import wide
from fdd_flower.distillers.objectives.peers import contrast
from fdd_flower.distillers.objectives.ridge import Sums, centred, features, sums_of
from fdd_flower.distillers.parts.canvas import Canvas
from fdd_flower.distillers.parts.pipeline import Job
from fdd_flower.distillers.parts.views import TILE, View
from fdd_flower.synthetic_set import SyntheticSet

OWN = 0.5  # probability that a row's own class keeps at least
CERTAIN = 0.9  # of the rest, what the own class has at the start


@dataclass(frozen=True, slots=True)
class Side:
    """What stays fixed under one view: the records' sums, and the peers in the support."""

    sums: Sums
    peers: Tensor  # (p, d)
    targets: Tensor  # (p, k), centred


class KernelTerm:
    """Squared residual of ridge regression on the rows of `canvas`, and the labels it learns.

    Attributes
    ----------
    logits
        What is optimised beside the rows, (rows, k).
    weight
        Of this term in an objective of several.

    Raises
    ------
    DistillError
        If there is one class in all, with the peers' rows.
    """

    def __init__(self, job: Job, views: Sequence[View], canvas: Canvas) -> None:
        peers = contrast(job)
        self.canvas, self.weight = canvas, 1.0
        self._views, self._penalty, self._cells = views, job.cfg.ridge, job.packing.cells
        labels = torch.tensor(job.labels).repeat_interleave(torch.tensor(canvas.sizes))
        self._own = F.one_hot(labels, len(job.data.classes)).float().to(job.device)
        self.logits = first_logits(job, self._own).requires_grad_()
        self._sides = job.prepared(
            [lambda i=i, v=v: side_of(job, v, i, peers) for i, v in enumerate(views)]
        )

    def losses(self, step: int) -> Iterator[Tensor]:
        """Yield the loss of `step` in parts, as `optimise` takes them."""
        index = step % len(self._sides)
        view, side = self._views[index], self._sides[index]
        parts = range(len(self.canvas.sizes))
        with torch.no_grad():
            held = [features(view, self.canvas.show(part)) for part in parts]
        rows = torch.cat(held).requires_grad_()
        targets = centred(labels_of(self.logits, self._own)).repeat_interleave(self._cells, dim=0)
        residual = side.sums.loss(
            torch.cat([rows, side.peers]), torch.cat([targets, side.targets]), self._penalty
        )
        yield self.weight * residual
        # By the chain rule a class at a time: one class's activations are in memory at once
        # (the gradient cache of arXiv:2101.06983).
        assert rows.grad is not None
        for part, slope in enumerate(rows.grad.split([len(found) for found in held])):
            yield (features(view, self.canvas.show(part)) * slope).sum()

    def targets(self) -> Tensor:
        """Return the labels of the rows as they are now, (rows, k)."""
        return labels_of(self.logits.detach(), self._own)


def labels_of(logits: Tensor, own: Tensor) -> Tensor:
    """Return targets (n, k): `OWN` of the row's own class, one-hot `own`, the rest by `logits`."""
    return OWN * own + (1 - OWN) * logits.softmax(dim=1)


def first_logits(job: Job, own: Tensor) -> Tensor:
    """Return logits (n, k): of the rows that a warm start begins with, else nearly one class."""
    classes = own.shape[1]
    floor = (1 - CERTAIN) / max(1, classes - 1)
    given = own
    if job.start is not None:
        known = [job.start.targets[job.start.labels == label] for label in job.labels]
        if [len(k) for k in known] == torch.bincount(own.argmax(dim=1))[job.labels].tolist():
            given = (torch.cat(known) - OWN * own) / (1 - OWN)
    return given.clamp(floor, CERTAIN).log()


@torch.no_grad()
def side_of(job: Job, view: View, index: int, peers: SyntheticSet | None) -> Side:
    """Return what view `index` makes of the records and of the peers."""
    classes = len(job.data.classes)
    shared = set(peers.labels.tolist()) if peers is not None else set()

    def batches() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for part in job.parts:
            records = job.seen(part, index)
            label = torch.tensor([part.label], device=records.device)
            target = centred(F.one_hot(label, classes).float())
            share = (0.5 if part.label in shared else 1.0) / len(records)
            for tile in records.split(TILE):
                weights = tile.new_full((len(tile),), share)
                yield features(view, tile), target.expand(len(tile), -1), weights
        if peers is not None:
            yield support, targets, shares(peers, own=job.labels)

    if peers is None:
        sums = sums_of(batches())
        none = sums.gram
        return Side(sums, none.new_empty(0, len(none)), none.new_empty(0, classes))
    support = torch.cat([features(view, tile) for tile in peers.inputs.split(TILE)])
    targets = centred(peers.targets)
    return Side(sums_of(batches()), support, targets)


def shares(peers: SyntheticSet, *, own: list[int]) -> Tensor:
    """Return weights (p,) under which each class sums to 1, or to 1/2 if it is among `own`."""
    weights = wide(peers.weights)
    for label in peers.labels.unique().tolist():
        rows = peers.labels == label
        weights[rows] *= (0.5 if label in own else 1.0) / weights[rows].sum()
    return weights.float()
