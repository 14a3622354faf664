"""Small records, a plan, and each kind of sketch of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from fdd_flower.config import DistillerConfig, SketchConfig
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import usable_classes
from fdd_flower.sketches.base import KINDS, Kind, Sketch
from tests.conftest import blobs, plan_for

KIND_NAMES = ("characteristic", "gram", "means")
SMALL = DistillerConfig(networks=2, width=4, ipc=3, steps=20)
SHAPES = [(1, 8, 8), (13,)]


def records(shape: tuple[int, ...] = (1, 8, 8)) -> Split:
    """Return 130 records of three classes."""
    return blobs(shape=shape, counts=(60, 40, 30))


def kind_of(name: str, data: Split, *, round_: int = 1, **changes: object) -> Any:
    """Return a kind of sketch of records like `data`, with the settings of a test."""
    sketch = SketchConfig(kind=name, width=3)
    for key, value in changes.items():
        if hasattr(sketch, key):
            sketch = replace(sketch, **{key: value})
    distiller = replace(SMALL, **{k: v for k, v in changes.items() if hasattr(SMALL, k)})  # type: ignore[arg-type]
    return KINDS.get(name)(sketch, distiller, plan_for(data, round_=round_))


def taken(data: Split, places: torch.Tensor) -> Split:
    """Return some of the records."""
    return Split(inputs=data.inputs[places], labels=data.labels[places], classes=data.classes)


def sketch_of(kind: Kind, data: Split) -> Sketch:
    """Return the sketch of a client that holds `data`."""
    return kind.of(usable_classes(data, kind.distiller)[0])


def added(sketches: Sequence[Sketch]) -> Sketch:
    """Return the sum of sketches."""
    total = sketches[0]
    for sketch in sketches[1:]:
        total = total + sketch
    return total


Deal = Callable[[Split], list[Split]]


def one_class_each(data: Split) -> list[Split]:
    """Deal out a class to a client."""
    labels = range(len(data.classes))
    return [taken(data, (data.labels == label).nonzero()[:, 0]) for label in labels]


def at_random(data: Split) -> list[Split]:
    """Deal out the records like cards."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(3))
    return [taken(data, order[first::3]) for first in range(3)]


def arrays_of(kind: Kind, data: Split) -> dict[str, np.ndarray]:
    """Return what a client that holds `data` sends."""
    return {name: array.copy() for name, array in kind.encode(sketch_of(kind, data)).items()}
