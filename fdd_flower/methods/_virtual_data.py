"""FedLGD's two uses of virtual data: a model trained on it, and rows found from a model's step."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor

from fdd_flower.config import DistillerConfig, LocalConfig
from fdd_flower.distillers.objectives.gradients import distance
from fdd_flower.distillers.parts.canvas import Canvas
from fdd_flower.distillers.parts.clock import Clock
from fdd_flower.distillers.parts.optimise import NonFiniteError, optimise
from fdd_flower.errors import FddError
from fdd_flower.models.base import Network
from fdd_flower.synthetic_set import SyntheticSet, concatenate
from fdd_flower.training.optimisers import Sgd

TEMPERATURE = 0.07  # of the contrastive term; the default of SupCon's code
STEPS = 500  # of gradient matching in an update of the global rows
RATE = 0.06  # step size of Adam on the global rows, as of the distillers (decision 1)


def contrast(features: Tensor, labels: Tensor) -> Tensor:
    """Return the supervised contrastive loss of features (n, d) with labels (n,), in nats.

    SupCon (arXiv:2004.11362, its L_out), on features of unit length: the mean over rows of the mean
    of -log softmax at the rows of the same class. A row that is alone in its class counts 0.
    """
    unit = F.normalize(features, dim=1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    similar = (unit @ unit.T / TEMPERATURE).masked_fill(itself, -math.inf)
    log_share = similar - similar.logsumexp(dim=1, keepdim=True)
    alike = (labels[:, None] == labels[None]) & ~itself
    gained = log_share.masked_fill(~alike, 0).sum(dim=1) / alike.sum(dim=1).clamp_min(1)
    return -gained.mean()


def train_beside(
    own: SyntheticSet,
    anchors: SyntheticSet | None,
    model: Network,
    cfg: LocalConfig,
    *,
    weight: float,
    rng: torch.Generator,
) -> None:
    """Train `model` in place by SGD on a client's virtual data and the global one.

    The loss is the cross-entropy of both and, weighted, the contrast of a batch's features beside
    those of all `anchors`, which holds the features of clients to common places.

    Raises
    ------
    FddError
        If the loss stops being finite.
    """
    rows = own if anchors is None else concatenate([own, anchors])
    sgd = Sgd(model.parameters(), momentum=cfg.momentum)
    model.train()
    for _ in range(cfg.epochs):
        order = torch.randperm(len(rows), generator=rng).to(rows.inputs.device)
        for batch in order.split(cfg.batch_size):
            inputs = rows.inputs[batch]
            loss = F.cross_entropy(model(inputs), rows.targets[batch])
            if anchors is not None and weight:
                features = model.features(torch.cat([inputs, anchors.inputs]))
                labels = torch.cat([rows.labels[batch], anchors.labels])
                loss = loss + weight * contrast(features, labels)
            if not bool(torch.isfinite(loss)):
                raise FddError(
                    "training loss on virtual data",
                    expected="a finite number",
                    got=float(loss.detach()),
                    remedy=f"Lower local.learning-rate (now {cfg.learning_rate:g}).",
                )
            sgd.clear()
            loss.backward()
            sgd.step(cfg.learning_rate)


def noise_rows(
    feature_shape: tuple[int, ...], num_classes: int, each: int, *, rng: torch.Generator
) -> SyntheticSet:
    """Return `each` rows per class of noise, on the CPU: normalised records without a shape."""
    labels = torch.arange(num_classes).repeat_interleave(each)
    return SyntheticSet(
        inputs=torch.randn(len(labels), *feature_shape, generator=rng),
        targets=F.one_hot(labels, num_classes).float(),
        weights=torch.ones(len(labels)),
    )


def rows_of_step(start: SyntheticSet, model: Network, step: Sequence[Tensor]) -> SyntheticSet:
    """Return `start` changed so that training `model` on it takes it where `step` goes.

    The gradient of the mean cross-entropy over all rows is brought near `step` by the distance of
    DC (`distillers._gradients.distance`). Where a loss is no finite number, the rows before stay.

    Parameters
    ----------
    step
        A tensor a parameter: the weights before less those after. Only its direction counts.
    """
    network = copy.deepcopy(model).eval().requires_grad_(True)
    weights = list(network.parameters())
    sizes = start.labels.bincount().tolist()
    canvas = Canvas(
        list(start.inputs.split(sizes)), list(range(len(sizes))), num_classes=start.num_classes
    )
    settings = replace(DistillerConfig(), name="fedlgd", steps=STEPS, learning_rate=RATE)

    def objective(_: int) -> Iterator[Tensor]:
        loss = F.cross_entropy(network(canvas.rows), start.targets)
        yield distance(step, torch.autograd.grad(loss, weights, create_graph=True))

    try:
        optimise(canvas, objective, settings, clock=Clock(math.inf))
    except NonFiniteError as error:
        return replace(start, inputs=torch.cat(error.rows))
    return replace(start, inputs=canvas.rows.detach().clone())
