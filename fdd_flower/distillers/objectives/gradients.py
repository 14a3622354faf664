"""Gradient matching: what dc and dsa share."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor

from fdd_flower.distillers.base import ClassRecords
from fdd_flower.distillers.objectives.peers import contrast
from fdd_flower.distillers.parts.canvas import Canvas
from fdd_flower.distillers.parts.optimise import optimise
from fdd_flower.distillers.parts.pipeline import Job, Pipeline, Rows
from fdd_flower.distillers.parts.trained import build_embedder
from fdd_flower.models.base import Network
from fdd_flower.rng import derive, stream
from fdd_flower.synthetic_set import SyntheticSet

REAL = 256  # records of a class in one match, as published
HELD = 5  # steps on one gradient of the records
BATCH = 256  # synthetic rows in one training step, as published
LEARNING_RATE = 0.01  # of the network's SGD, as published
EPSILON = 1e-6  # beside a product of norms, as published

Augmentation = Callable[[Tensor], Tensor]


class GradientMatching(Pipeline):
    """Base of dc and dsa: rows whose training gradient points where that of the records does.

    A network is drawn `distiller.networks` times over the steps. In each step the gradient of
    each class's rows is matched to that of a batch of its records, then the network is trained
    on the rows, and the other clients' rows under `distiller.peers`, for `inner_steps`.
    """

    joint = True
    trains: ClassVar[bool] = True
    ignores: ClassVar[tuple[str, ...]] = ("augment", "sample", "group_size")

    def _augmentation(
        self, feature_shape: tuple[int, ...], *, rng: torch.Generator
    ) -> Augmentation:
        """Draw what is done alike to records and rows."""
        del feature_shape, rng
        return lambda inputs: inputs

    def _rows(self, job: Job) -> Rows:
        peers = contrast(job) if job.cfg.inner_steps else None
        networks = _networks(job)
        canvas = job.canvas(job.first_rows())
        network, drawn = networks[0], -1
        change: Augmentation
        real: list[tuple[Tensor, ...]]

        def objective(step: int) -> Iterator[Tensor]:
            nonlocal network, drawn, change, real
            done = job.clock.progress(step, job.cfg.steps)
            index = min(int(done * len(networks)), len(networks) - 1)
            fresh = index != drawn
            if fresh:
                network, drawn = networks[index], index
            elif step % HELD == 0:
                self._train(network, canvas, peers, job, step)
            if fresh or step % HELD == 0:
                rng = stream(job.plan.seed, "siamese", step)
                change = self._augmentation(job.data.feature_shape, rng=rng)
                real = [
                    gradient(network, change(_batch(part, job, step)), part.label)
                    for part in job.parts
                ]
            for part, label in enumerate(job.labels):
                rows = gradient(network, change(canvas.show(part)), label, differentiable=True)
                yield distance(real[part], rows)

        optimise(canvas, objective, job.cfg, clock=job.clock)
        return job.found(canvas)

    def _train(
        self, network: Network, canvas: Canvas, peers: SyntheticSet | None, job: Job, step: int
    ) -> None:
        """Train `network` in place on the rows as they are, by plain SGD."""
        with torch.no_grad():
            inputs = canvas.show_all()
        targets = F.one_hot(canvas.targets(), canvas.num_classes).float()
        if peers is not None:
            inputs = torch.cat([inputs, peers.inputs])
            targets = torch.cat([targets, peers.targets])
        rng = stream(job.seed, "inner", step)
        weights = list(network.parameters())
        for _ in range(job.cfg.inner_steps):
            pick = torch.randperm(len(inputs), generator=rng)[:BATCH].to(inputs.device)
            change = self._augmentation(job.data.feature_shape, rng=rng)
            loss = F.cross_entropy(network(change(inputs[pick])), targets[pick])
            with torch.no_grad():
                for weight, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
                    weight -= LEARNING_RATE * slope


def _networks(job: Job) -> list[Network]:
    """Return the networks in the order of their use, each with an output for every class.

    On one class nothing can be trained, and the views that stand in then are for features only.
    """
    untrained = job.cfg.embedder == "trained" and len(job.parts) == 1
    if job.cfg.embedder == "random" or untrained:
        networks = [
            build_embedder(
                job.cfg,
                job.plan.feature_shape,
                len(job.data.classes),
                seed=derive(job.plan.seed, "gradient", index),
                index=index,
            )
            for index in range(job.cfg.networks)
        ]
    else:
        networks = [copy.deepcopy(view.network) for view in job.views()]
    return [network.to(job.device).eval().requires_grad_(True) for network in networks]


def _batch(records: ClassRecords, job: Job, step: int) -> Tensor:
    rng = stream(job.seed, "real", records.label, step)
    pick = torch.randperm(len(records.inputs), generator=rng)[:REAL]
    return records.inputs[pick.to(records.inputs.device)]


def gradient(
    network: Network, inputs: Tensor, label: int, *, differentiable: bool = False
) -> tuple[Tensor, ...]:
    """Return the gradient of the mean cross-entropy of one class, a tensor a parameter."""
    labels = torch.full((len(inputs),), label, device=inputs.device)
    loss = F.cross_entropy(network(inputs), labels)
    return torch.autograd.grad(loss, list(network.parameters()), create_graph=differentiable)


def distance(real: Sequence[Tensor], found: Sequence[Tensor]) -> Tensor:
    """Return the sum over weights and their outputs of 1 - cosine of two gradients.

    Biases and the scales of normalisation, which have one dimension, are left out, as in the
    code of DC.
    """
    total = torch.zeros(())
    for a, b in zip(real, found, strict=True):
        if a.ndim > 1:
            a, b = a.flatten(1), b.flatten(1)
            norms = a.norm(dim=1) * b.norm(dim=1) + EPSILON
            total = total + (1 - (a * b).sum(dim=1) / norms).sum()
    return total
