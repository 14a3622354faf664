"""What a sketch is: sums over records, per class, of public functions of a record."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from fdd_flower.config import DistillerConfig, SketchConfig
from fdd_flower.device import HOST, on_host, with_doubles
from fdd_flower.distillers.base import ClassRecords, Plan
from fdd_flower.distillers.parts.canvas import Canvas
from fdd_flower.errors import DistillError
from fdd_flower.registry import Registry
from fdd_flower.sketches.integers import (
    LIMIT,
    MAX_RECORDS,
    ONE,
    WIDEST,
    check_planes,
    from_planes,
    to_planes,
    whole,
    width_of,
)
from fdd_flower.training.teachers import RidgeTeacher
from fdd_flower.wire.arrays import require
from fdd_flower.wire.refusals import Code

COUNTS, INPUTS = "counts", "inputs"
TILE = 512  # records whose features are held at once
HEADROOM = 4096  # bytes of NPY headers
# A claimed count weighs as much as it says, and nobody can check it. Uneven federations stay
# within this factor of the median, so that honest sums are what they were.
MAX_RATIO = 100

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Sketch:
    """Sums over records: two of them add to the sketch of both clients' records.

    Attributes
    ----------
    counts
        Records of each class, int64, (k,).
    sums
        By name, int64: in the units that the kind says.
    """

    counts: Tensor
    sums: Mapping[str, Tensor]

    def __add__(self, other: Sketch) -> Sketch:
        both = {name: values + other.sums[name] for name, values in self.sums.items()}
        return Sketch(self.counts + other.counts, both)

    @property
    def records(self) -> int:
        """Records of all classes."""
        return int(self.counts.sum())


class Kind(ABC):
    """A kind of sketch: a file each says what is summed, and how rows are matched to the total.

    Every term of every sum is a whole number (`_integers`), computed from one record by itself.
    So the total over clients is the same, bit for bit, however the records are dealt out, as
    far as a network gives a record the same features in any company: where the last bit of one
    differs, a term may differ by a step.

    Attributes
    ----------
    uses
        Settings of `DistillerConfig` and `SketchConfig`, beside those that every kind has, which
        change something: a run that changes others is refused.
    device, sums_device
        Where networks, records and rows are; where sketches are made, and what is made of them.
        Sketches that are sent and judged are on the CPU.
    """

    uses: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        cfg: SketchConfig,
        distiller: DistillerConfig,
        plan: Plan,
        device: torch.device = HOST,
    ) -> None:
        self.cfg, self.distiller, self.plan = cfg, distiller, plan
        self.device, self.sums_device = device, with_doubles(device)

    @property
    def classes(self) -> int:
        """Classes of the federation."""
        return len(self.plan.classes)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each sum of a sketch: (k, d) where it is one per class, else (d,)."""
        shapes = self.own_shapes()
        if self.cfg.start == "class-mean":
            shapes[INPUTS] = (self.classes, math.prod(self.plan.feature_shape))
        return shapes

    @abstractmethod
    def own_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the sums that this kind adds to those that all kinds have."""

    @abstractmethod
    def terms(self, inputs: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield, of records (n, *feature_shape) of one class, what is added and to what.

        Whole numbers as doubles: (n, d) where the sum is one per class, (k, d); else what is added
        for all of them together, of the shape of the sum, (d,).
        """

    @abstractmethod
    def losses(self, total: Sketch, canvas: Canvas, step: int) -> Iterable[Tensor]:
        """Yield the loss of `step` in parts: how far the rows of `canvas` are from `total`.

        Parameters
        ----------
        canvas
            Rows of the classes that `total` has records of, in order.
        """

    def teacher(self, total: Sketch) -> RidgeTeacher | None:
        """Return a model that `total` gives by itself; None where it gives none."""
        return None

    @torch.no_grad()
    def of(self, parts: Sequence[ClassRecords]) -> Sketch:
        """Return the sketch of a client's records.

        Raises
        ------
        DistillError
            If they are more than sums are exact for.
        """
        counts = torch.zeros(self.classes, dtype=torch.int64, device=self.sums_device)
        sums = {
            name: torch.zeros(shape, dtype=torch.int64, device=self.sums_device)
            for name, shape in self.shapes.items()
        }
        for part in parts:
            counts[part.label] = len(part.inputs)
            for tile in part.inputs.split(TILE):
                for name, values in self.terms(tile):
                    if sums[name].ndim == 1:
                        sums[name] += values.to(torch.int64)
                    else:
                        sums[name][part.label] += values.sum(dim=0).to(torch.int64)
                if INPUTS in sums:
                    sums[INPUTS][part.label] += whole(tile.flatten(1)).sum(dim=0).to(torch.int64)
        if int(counts.sum()) > MAX_RECORDS:
            raise DistillError(
                "records of this client",
                expected=f"at most {MAX_RECORDS}",
                got=int(counts.sum()),
                remedy="Split them over several clients.",
            )
        return Sketch(counts, sums)

    def encode(self, sketch: Sketch) -> dict[str, np.ndarray]:
        """Return a sketch as plain arrays: each sum in as many bits as its largest value takes."""
        sketch = on_host(sketch)
        coded = {name: to_planes(v, width_of(v)) for name, v in sketch.sums.items()}
        return {COUNTS: sketch.counts.numpy(), **coded}

    def decode(self, arrays: Arrays) -> Sketch:
        """Return the sketch in what `encode` returned, held against all that is known of one.

        Raises
        ------
        RefusedError
            If an array is missing, unknown or of a wrong type or shape, or a sum is none that
            records could have.
        """
        names = {COUNTS, *self.shapes}
        self.check_names(arrays, names)
        counts = self.read_counts(arrays)
        for name, shape in self.shapes.items():
            check_planes(name, arrays[name], shape)
        return self.checked(counts, {n: from_planes(arrays[n], s) for n, s in self.shapes.items()})

    def max_bytes(self) -> int:
        """Return the most bytes that the arrays of a sketch take."""
        values = sum(-(-math.prod(shape) // 8) for shape in self.shapes.values())
        return HEADROOM + 8 * self.classes + WIDEST * values

    def check_names(self, arrays: Arrays, names: set[str]) -> None:
        """Raise a RefusedError unless `arrays` are exactly those called `names`."""
        found = ", ".join(sorted(map(repr, arrays)))[:200]
        require(set(arrays) == names, "arrays", f"exactly {sorted(names)}", found, Code.ARRAYS)

    def read_counts(self, arrays: Arrays) -> Tensor:
        """Return the counts of a sketch, each 0 or as many records as a class must have.

        Raises
        ------
        RefusedError
            If they are out of range, or none at all.
        """
        counts, least = arrays[COUNTS], self.distiller.min_records
        require(counts.dtype == np.int64, COUNTS, "int64", str(counts.dtype)[:100], Code.DTYPE)
        fits = counts.shape == (self.classes,)
        require(fits, COUNTS, f"shape ({self.classes},)", str(counts.shape)[:100], Code.SHAPE)
        require(bool(counts.any()), COUNTS, "records of some class", "none", Code.EMPTY)
        some = counts[counts != 0]
        inside = bool((some >= least).all() and (some <= MAX_RECORDS).all())
        inside = inside and int(some.sum()) <= MAX_RECORDS
        wanted = f"0 or from distiller.min-records = {least}, and at most {MAX_RECORDS} in all"
        require(inside, COUNTS, wanted, str(some[:10])[:100], Code.WEIGHTS)
        return torch.from_numpy(counts.copy())

    def checked(self, counts: Tensor, sums: dict[str, Tensor]) -> Sketch:
        """Return a sketch whose sums records could have.

        Raises
        ------
        RefusedError
            If a class without records has a sum, or an input or a mean is larger than any.
        """
        for name, values in sums.items():
            if values.ndim == 2:
                self.check_range(name, values, counts[:, None] * self.largest(name))
        sketch = Sketch(counts, sums)
        self.check(sketch)
        return sketch

    def largest(self, name: str) -> int:
        """Return the largest term of a sum that is one per class."""
        return LIMIT

    def check(self, sketch: Sketch) -> None:  # noqa: B027 (a kind may have nothing to add)
        """Raise a RefusedError unless the sums fit each other."""

    @staticmethod
    def check_range(name: str, values: Tensor, bound: Tensor) -> None:
        """Raise a RefusedError unless each of `values` is within +-`bound`."""
        inside = bool((values.abs() <= bound).all())
        require(inside, name, "sums that so many records can have", "larger ones", Code.RANGE)

    def held(self, total: Sketch) -> list[int]:
        """Return the classes that `total` has records of."""
        return total.counts.nonzero()[:, 0].tolist()

    def means(self, total: Sketch, name: str, label: int, unit: float = ONE) -> Tensor:
        """Return the mean over a class's records of what was summed: float32, on `device`."""
        mean = total.sums[name][label].double() / unit / total.counts[label]
        return mean.float().to(self.device)


KINDS: Registry[type[Kind]] = Registry(
    "sketch", "fdd_flower.sketches", helpers=("integers", "synthesis")
)


def bounded(sketch: Sketch, median: int) -> Sketch:
    """Return a sketch scaled down to at most `MAX_RATIO` times `median` records."""
    most = MAX_RATIO * median
    if sketch.records <= most:
        return sketch
    share = most / sketch.records

    def scaled(values: Tensor) -> Tensor:
        return (values.double() * share).round().to(torch.int64)

    counts = torch.where(sketch.counts > 0, scaled(sketch.counts).clamp_min(1), 0)
    return Sketch(counts, {name: scaled(values) for name, values in sketch.sums.items()})


def median_of(records: Sequence[int]) -> int:
    """Return the upper median of what clients of a round say they hold."""
    return sorted(records)[len(records) // 2]
