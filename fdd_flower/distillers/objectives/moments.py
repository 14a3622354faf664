"""Moments of features: of a class's records, once, and of its synthetic rows, each step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Protocol

import torch
from torch import Tensor

from fdd_flower.device import wide
from fdd_flower.distillers.parts.views import TILE
from fdd_flower.rng import stream

EPSILON = 1e-6  # under the square root, whose slope at zero is infinite
PROJECTED = 128  # dimensions in which covariances are compared


@dataclass(frozen=True, slots=True)
class Moments:
    """Of features (n, d); what is not asked for is None."""

    mean: Tensor  # (d,)
    deviation: Tensor | None = None  # (d,)
    covariance: Tensor | None = None  # (PROJECTED, PROJECTED)


class Embeds(Protocol):
    """What makes features (n, d) of inputs (n, *feature_shape), such as a `View`."""

    def embed(self, inputs: Tensor) -> Tensor:
        """Return the features."""
        ...


@torch.no_grad()
def moments_of(view: Embeds, inputs: Tensor, kind: str) -> Moments:
    """Return the moments of the features of `inputs`, embedded a tile at a time.

    Memory does not grow with the client's data: two passes over tiles, sums in double
    precision.

    Parameters
    ----------
    kind
        One of the choices of `distiller.moments`.
    """
    total = squares = torch.zeros((), dtype=torch.double)
    products = torch.zeros((), dtype=torch.double)
    for tile in inputs.split(TILE):
        features = view.embed(tile)
        total = total + wide(features).sum(dim=0)
        if kind == "deviation":
            squares = squares + wide(features).square().sum(dim=0)
        if kind == "covariance":
            projected = wide(project(features))
            products = products + projected.T @ projected
    mean = total / len(inputs)
    if kind == "deviation":
        variance = (squares / len(inputs) - mean.square()).clamp_min(0)
        return Moments(mean.float(), deviation=variance.sqrt().float())
    if kind == "covariance":
        centre = wide(project(mean.float()[None]))
        covariance = products / len(inputs) - centre.T @ centre
        return Moments(mean.float(), covariance=covariance.float())
    return Moments(mean.float())


def side_by_side(moments: Iterable[Moments], count: int) -> list[Moments]:
    """Return `count` moments of one kind, copied into one tensor a field as they are made.

    Small tensors that stay, between large ones that go, would leave holes of all sizes in the heap:
    gigabytes of them, where freed memory is kept (`allocator`).
    """
    kept: list[Moments] = []
    stores: dict[str, Tensor] = {}
    for place, one in enumerate(moments):
        found = {field.name: getattr(one, field.name) for field in fields(one)}
        found = {name: values for name, values in found.items() if values is not None}
        if not kept:
            stores = {
                name: values.new_empty(count, *values.shape) for name, values in found.items()
            }
        kept.append(Moments(**{name: stores[name][place].copy_(v) for name, v in found.items()}))
    return kept


def mismatch(features: Tensor, real: Moments) -> Tensor:
    """Return the squared distance of the moments of `features` (n, d) from those of the records.

    One row has no spread: only its mean is matched.
    """
    mean = features.mean(dim=0)
    loss = (mean - real.mean).square().sum()
    if len(features) == 1:
        return loss
    if real.deviation is not None:
        deviation = (features.var(dim=0, unbiased=False) + EPSILON).sqrt()
        loss = loss + (deviation - real.deviation).square().sum()
    if real.covariance is not None:
        centred = project(features - mean)
        covariance = centred.T @ centred / len(features)
        loss = loss + (covariance - real.covariance).square().sum()
    return loss


def project(features: Tensor) -> Tensor:
    """Return features (n, d) in PROJECTED fixed random directions, which keep distances.

    A Gaussian projection (Johnson and Lindenstrauss); narrower features stay as they are.
    """
    width = features.shape[1]
    if width <= PROJECTED:
        return features
    draw = torch.randn(width, PROJECTED, generator=stream(width, "projection"))
    draw = draw.to(features.device)
    return features @ (draw / PROJECTED**0.5)
