"""Kernel ridge regression: rows and labels on which a ridge regression fits the records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor

from fdd_flower.distillers._optimise import optimise
from fdd_flower.distillers._peers import contrast
from fdd_flower.distillers._pipeline import Job, Pipeline, Rows
from fdd_flower.distillers._ridge import Sums, centred, features, sums_of
from fdd_flower.distillers._views import TILE, View
from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.synthetic_set import SyntheticSet

OWN = 0.5  # probability that a row's own class keeps at least
CERTAIN = 0.9  # of the rest, what the own class has at the start


@dataclass(frozen=True, slots=True)
class Side:
    """What stays fixed under one view: the records' sums, and the peers in the support."""

    sums: Sums
    peers: Tensor  # (p, d)
    targets: Tensor  # (p, k), centred


@DISTILLERS.register("krr")
class KernelRidge(Pipeline):
    """Kernel inducing points over pools of networks: KIP, RFAD or FRePo, by settings.

    Minimises, over rows and their labels, the squared residual on the client's records of ridge
    regression on the rows. `distiller.embedder = random` uses seeded networks (RFAD,
    arXiv:2210.12067), `trained` and `global` partly trained ones (FRePo, arXiv:2206.00719).

    Differs from the papers: KIP (arXiv:2107.13034) takes the network's infinite-width kernel, here
    the kernel is that of finite features, so that all records enter through two sums a network
    that are computed once. Learned labels are probabilities of which the row's own class keeps at
    least half, so that they can be sent, and a row never changes class; the papers' are any
    numbers. FRePo trains its networks on the rows in turn, here they are fixed. Each class counts
    alike, however many records it has. The penalty is relative to the kernel's mean eigenvalue.

    With `distiller.peers` the other clients' rows stand in the support with their labels, and are
    records too, each class with the same weight; a class that both have counts half from each.
    Then rows of a client with one class leave to the other classes what is theirs.
    `distiller.labels` has no effect.
    """

    joint = True

    def _rows(self, job: Job) -> Rows:
        peers = contrast(job)
        views = job.views()
        sides = job.prepared(
            [lambda i=i, v=v: side_of(job, v, i, peers) for i, v in enumerate(views)]
        )
        canvas = job.canvas(job.first_rows())
        classes, cells = len(job.data.classes), job.packing.cells
        labels = torch.tensor(job.labels).repeat_interleave(torch.tensor(canvas.sizes))
        own = F.one_hot(labels, classes).float()
        logits = first_logits(job, own).requires_grad_()

        def objective(step: int) -> Iterator[Tensor]:
            view, side = views[step % len(sides)], sides[step % len(sides)]
            with torch.no_grad():
                parts = [features(view, canvas.show(part)) for part in range(len(canvas.sizes))]
            rows = torch.cat(parts).requires_grad_()
            targets = centred(labels_of(logits, own)).repeat_interleave(cells, dim=0)
            yield side.sums.loss(
                torch.cat([rows, side.peers]), torch.cat([targets, side.targets]), job.cfg.ridge
            )
            # By the chain rule a class at a time: one class's activations are in memory at once
            # (the gradient cache of arXiv:2101.06983).
            assert rows.grad is not None
            for part, slope in enumerate(rows.grad.split([len(part) for part in parts])):
                yield (features(view, canvas.show(part)) * slope).sum()

        optimise(canvas, objective, job.cfg, clock=job.clock, extra=[logits])
        return Rows(job.found(canvas).inputs, targets=labels_of(logits.detach(), own))


def labels_of(logits: Tensor, own: Tensor) -> Tensor:
    """Return targets (n, k): `OWN` of the row's own class, one-hot `own`, the rest by `logits`."""
    return OWN * own + (1 - OWN) * logits.softmax(dim=1)


def first_logits(job: Job, own: Tensor) -> Tensor:
    """Return logits (n, k): of the rows that a warm start goes on from, else nearly one class."""
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
            target = centred(F.one_hot(torch.tensor([part.label]), classes).float())
            share = (0.5 if part.label in shared else 1.0) / len(records)
            for tile in records.split(TILE):
                weights = torch.full((len(tile),), share)
                yield features(view, tile), target.expand(len(tile), -1), weights
        if peers is not None:
            yield support, targets, shares(peers, own=job.labels)

    if peers is None:
        sums = sums_of(batches())
        return Side(sums, torch.empty(0, len(sums.gram)), torch.empty(0, classes))
    support = torch.cat([features(view, tile) for tile in peers.inputs.split(TILE)])
    targets = centred(peers.targets)
    return Side(sums_of(batches()), support, targets)


def shares(peers: SyntheticSet, *, own: list[int]) -> Tensor:
    """Return weights (p,) under which each class sums to 1, or to 1/2 if it is among `own`."""
    weights = peers.weights.double()
    for label in peers.labels.unique().tolist():
        rows = peers.labels == label
        weights[rows] *= (0.5 if label in own else 1.0) / weights[rows].sum()
    return weights.float()
