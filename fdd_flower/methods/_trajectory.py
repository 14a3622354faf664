"""Rows on which a model goes the way that a run's global models went: DynaFed's server."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor
from torch.func import functional_call

from fdd_flower.config import DistillerConfig
from fdd_flower.distillers.parts.canvas import Canvas
from fdd_flower.distillers.parts.clock import Clock
from fdd_flower.distillers.parts.optimise import NonFiniteError, optimise
from fdd_flower.errors import FddError
from fdd_flower.models.base import Network
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.optimisers import Sgd

# As in benchmarks/results/federated.md; not tuned.
STEPS = 200  # of the optimisation of the rows
REACH = 1  # rounds ahead that training on the rows aims at
RATE = 0.1  # step size of Adam on the rows
INNER_STEPS = 10  # training steps on the rows a match
INNER_RATE = 0.02  # step size of that training at first; it is learned
TUNING_STEPS = 20  # on the rows, that each later global model takes
TUNING_RATE = 0.01  # step size of SGD there
TUNING_BATCH = 256  # rows a step there

Weights = Mapping[str, Tensor]


def unrolled(
    model: Network, start: Weights, inputs: Tensor, targets: Tensor, rate: Tensor, *, steps: int
) -> dict[str, Tensor]:
    """Return the parameters after `steps` of gradient descent on rows, differentiable in the rows.

    Parameters
    ----------
    start
        The parameters to begin with, by name; the model's own are left alone.
    rate
        The step size, from 0; differentiable too.
    """
    weights = {name: value.detach().requires_grad_(True) for name, value in start.items()}
    for _ in range(steps):
        loss = F.cross_entropy(functional_call(model, weights, (inputs,)), targets)
        found = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
        weights = {
            name: value - rate * slope
            for (name, value), slope in zip(weights.items(), found, strict=True)
        }
    return weights


def distance(found: Weights, wanted: Weights, start: Weights) -> Tensor:
    """Return |found - wanted|^2 / |start - wanted|^2, over all parameters (MTT, arXiv:2203.11932).

    1 is a model that did not move, 0 one that arrived.
    """
    off = torch.stack([(found[name] - wanted[name]).square().sum() for name in wanted]).sum()
    way = torch.stack([(start[name] - wanted[name]).square().sum() for name in wanted]).sum()
    return off / way.clamp_min(torch.finfo(torch.float32).tiny)


def rows_of_path(
    start: SyntheticSet,
    model: Network,
    path: Sequence[Weights],
    *,
    rng: torch.Generator,
    progress: Callable[[int, int], None] | None = None,
) -> SyntheticSet:
    """Return `start` changed so that training `model` on it follows `path`.

    Each step draws a place on the path, and brings training on the rows from there nearer to the
    place `REACH` further on. The step size of that training is learned beside the rows.
    Where a loss is no finite number, the rows before stay.

    Parameters
    ----------
    path
        Parameters of global models by name, one per round, in order: more than `REACH`.
    progress
        Gets the steps done, and how many there are.
    """
    network = copy.deepcopy(model).eval()
    sizes = start.labels.bincount().tolist()
    canvas = Canvas(
        list(start.inputs.split(sizes)), list(range(len(sizes))), num_classes=start.num_classes
    )
    log_rate = start.inputs.new_tensor(math.log(INNER_RATE)).requires_grad_()
    settings = replace(DistillerConfig(), name="dynafed", steps=STEPS, learning_rate=RATE)

    def objective(step: int) -> Iterator[Tensor]:
        if progress is not None:
            progress(step, STEPS)
        place = int(torch.randint(len(path) - REACH, (), generator=rng))
        begin, end = path[place], path[place + REACH]
        found = unrolled(
            network, begin, canvas.rows, start.targets, log_rate.exp(), steps=INNER_STEPS
        )
        yield distance(found, end, begin)

    try:
        optimise(canvas, objective, settings, clock=Clock(math.inf), extra=[log_rate])
    except NonFiniteError as error:
        return replace(start, inputs=torch.cat(error.rows))
    return replace(start, inputs=canvas.rows.detach().clone())


def tune(model: Network, rows: SyntheticSet, *, rng: torch.Generator) -> None:
    """Train `model` in place on `rows` by `TUNING_STEPS` steps of SGD.

    Raises
    ------
    FddError
        If the loss stops being finite.
    """
    sgd = Sgd(model.parameters())
    model.train()
    for step in range(TUNING_STEPS):
        batch = torch.randperm(len(rows), generator=rng)[:TUNING_BATCH].to(rows.inputs.device)
        loss = F.cross_entropy(model(rows.inputs[batch]), rows.targets[batch])
        if not bool(torch.isfinite(loss)):
            raise FddError(
                f"fine-tuning loss at step {step}",
                expected="a finite number",
                got=float(loss.detach()),
                remedy="Lower local.learning-rate, or choose another model.",
            )
        sgd.clear()
        loss.backward()
        sgd.step(TUNING_RATE)
