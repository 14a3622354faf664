"""Characteristic functions: class by class, few rows match the whole distribution of features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fdd_flower.device import wide
from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.distillers.parts.optimise import optimise
from fdd_flower.distillers.parts.pipeline import Job, Pipeline, Rows
from fdd_flower.distillers.parts.views import TILE, View
from fdd_flower.rng import stream

AMPLITUDE, PHASE = 0.5, 0.5  # weights of the two terms, as published
SPREADS = (0.5, 1.0, 2.0)  # of a class's records along a frequency, in radians
FREQUENCIES = 256  # of a network; not measured
EPSILON = 1e-8  # under square roots, whose slope at zero is infinite


@dataclass(frozen=True, slots=True)
class Wave:
    """The characteristic function of a class's features at fixed frequencies.

    Attributes
    ----------
    centre, scale
        A feature's angle at frequency f is (projection - centre[f]) * scale[f].
    cos, sin
        Means over the records: real and imaginary part.
    """

    centre: Tensor  # (f,)
    scale: Tensor  # (f,)
    cos: Tensor  # (f,)
    sin: Tensor  # (f,)


@DISTILLERS.register("ncfm")
class CharacteristicFunctionMatching(Pipeline):
    """NCFM (CVPR 2025, arXiv:2502.20653), with fixed frequencies in place of a sampling network.

    For a random frequency t, the characteristic function of a class is the mean of
    exp(i t'(z - m)) over its features z, with m their mean. Per frequency the loss is the
    published root of half the squared difference in amplitude and half the phase term
    2(|a||b| - Re(a b*)); code: https://github.com/gszfwsb/NCFM.

    Differs from the paper: frequencies are not learned by an adversary but drawn once for each
    network, from the plan's public seed, so that the real side is computed once. They are a
    mixture of Gaussians, scaled so that the class's projected records deviate by 0.5 to 2
    radians; the paper takes N(0, I) on features of unit length, under which records of a class
    hardly differ in a random network. Networks are seeded unless `distiller.embedder` says
    otherwise; no calibration by a trained classifier.

    The scale is the class's own, so the objective is a sum over classes, each as if alone.
    """

    ignores: ClassVar[tuple[str, ...]] = ("group_size",)

    def _rows(self, job: Job) -> Rows:
        canvas = job.canvas(job.first_rows())
        views = job.views()
        real = job.prepared([lambda i=i, v=v: waves_of(job, v, i) for i, v in enumerate(views)])

        def objective(step: int) -> Iterator[Tensor]:
            index = step % len(real)
            directions, waves = real[index]
            for part, target in enumerate(waves):
                yield discrepancy(views[index].embed(canvas.show(part)) @ directions, target)

        optimise(canvas, objective, job.cfg, clock=job.clock)
        return job.found(canvas)


@torch.no_grad()
def waves_of(job: Job, view: View, index: int) -> tuple[Tensor, list[Wave]]:
    """Return the directions of view `index` and, along them, the wave of each class."""
    width = view.embed(job.parts[0].inputs[:1]).shape[1]
    directions = frequencies(width, FREQUENCIES, seed=job.plan.seed, index=index)
    directions = directions.to(job.device)
    return directions, [wave_of(view, job.seen(part, index), directions) for part in job.parts]


def frequencies(width: int, count: int, *, seed: int, index: int) -> Tensor:
    """Return the public directions (width, count) of view `index`, on the CPU, unscaled."""
    return torch.randn(width, count, generator=stream(seed, "frequencies", index))


@torch.no_grad()
def wave_of(view: View, inputs: Tensor, directions: Tensor) -> Wave:
    """Return the characteristic function of the features of `inputs`, a tile at a time.

    Two passes: projections are held between them where they take no more memory than the records,
    else made twice. Their mean variance is the records' mean squared distance from their mean
    feature; frequencies are divided by its root.
    """

    def projected() -> Iterator[Tensor]:
        return (view.embed(tile) @ directions for tile in inputs.split(TILE))

    held = list(projected()) if directions.shape[1] <= inputs[0].numel() else None
    total = squares = torch.zeros((), dtype=torch.double)
    for tile in held or projected():
        total = total + wide(tile).sum(dim=0)
        squares = squares + wide(tile).square().sum(dim=0)
    mean = total / len(inputs)
    deviation = ((squares / len(inputs) - mean.square()).mean() + EPSILON).sqrt()
    spreads = torch.tensor(SPREADS)[torch.arange(directions.shape[1]) % len(SPREADS)]
    spreads = spreads.to(inputs.device)
    centre, scale = mean.float(), (spreads / deviation).float()
    cos = sin = torch.zeros((), dtype=torch.double)
    for tile in held or projected():
        angle = (tile - centre) * scale
        cos, sin = cos + wide(angle.cos()).sum(dim=0), sin + wide(angle.sin()).sum(dim=0)
    return Wave(centre, scale, (cos / len(inputs)).float(), (sin / len(inputs)).float())


def discrepancy(projected: Tensor, real: Wave) -> Tensor:
    """Return the mean distance over frequencies of `projected` rows (m, f) from the records."""
    angle = (projected - real.centre) * real.scale
    cos, sin = angle.cos().mean(dim=0), angle.sin().mean(dim=0)
    size, real_size = _length(cos, sin), _length(real.cos, real.sin)
    amplitude = (size - real_size).square()
    phase = 2 * (size * real_size - cos * real.cos - sin * real.sin)
    return (AMPLITUDE * amplitude + PHASE * phase.clamp_min(0) + EPSILON).sqrt().mean()


def _length(cos: Tensor, sin: Tensor) -> Tensor:
    return (cos.square() + sin.square() + EPSILON).sqrt()
