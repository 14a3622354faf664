"""SyntheticSet: what travels from a client to the server. It checks itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import overload

import torch
from torch import Tensor

from fdd_flower.device import moved
from fdd_flower.errors import WireError
from fdd_flower.wording import many


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticSet:
    """A small weighted data set that stands for a larger one.

    Attributes
    ----------
    inputs
        float32, (n, *feature_shape), in the model's (normalised) input space.
    targets
        float32, (n, k): class probabilities, each row sums to 1.
    weights
        float32, (n,): how many real records each row stands for; positive.
    meta
        Free text about the set: distiller, codec, seeds. Never read by the mathematics.
    origin
        int32, (n,), of a merged set: which of the sets that it was merged from a row came from, in
        their order; below 0 where it came from several. None: not known, or not merged.
    beside
        float32, of any shape, by name: what a method's clients tell beside the rows. It is kept
        with the set and part of its hash; a merged set has none.

    Raises
    ------
    WireError
        If a shape, type or range is off, or a value is not finite.
    """

    inputs: Tensor
    targets: Tensor
    weights: Tensor
    meta: Mapping[str, str] = field(default_factory=dict)
    origin: Tensor | None = None
    beside: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, dims in (("inputs", None), ("targets", 2), ("weights", 1)):
            self._check_tensor(name, getattr(self, name), dims)
        for name, values in self.beside.items():
            self._check_tensor(f"beside[{name}]", values, values.ndim)
        n = len(self.inputs)
        _require(n > 0, "inputs", "at least one row", "none", "Distil at least one class.")
        _require(
            len(self.targets) == n and len(self.weights) == n,
            "targets and weights",
            f"{many(n, 'row')}, as inputs has",
            f"{len(self.targets)} and {len(self.weights)}",
            "Give every row one target and one weight.",
        )
        _require(
            self.num_classes > 0,
            "targets",
            "at least one class",
            "none",
            "Name the classes of the federation.",
        )
        low, sums = float(self.targets.min()), self.targets.sum(dim=1)
        _require(
            low >= 0 and bool(torch.allclose(sums, torch.ones_like(sums), atol=1e-3)),
            "targets",
            "rows of probabilities that sum to 1",
            f"a minimum of {low:.4g} and sums from {float(sums.min()):.4g} "
            f"to {float(sums.max()):.4g}",
            "One-hot integer labels first.",
        )
        lightest = float(self.weights.min())
        _require(lightest > 0, "weights", "positive numbers", f"{lightest:.4g}", "Drop empty rows.")
        if (origin := self.origin) is not None:
            _require(
                origin.dtype == torch.int32 and origin.shape == (n,),
                "origin",
                f"int32 and {(n,)}, or None",
                f"{origin.dtype} and {tuple(origin.shape)}",
                "Say of each row which set it came from, or leave it out.",
            )

    @staticmethod
    def _check_tensor(name: str, value: object, dims: int | None) -> None:
        _require(
            isinstance(value, Tensor) and value.dtype == torch.float32,
            name,
            "a float32 tensor",
            getattr(value, "dtype", type(value).__name__),
            "Convert it with .float().",
        )
        assert isinstance(value, Tensor)
        _require(
            value.ndim == dims if dims else value.ndim >= 2,
            name,
            f"{dims} dimensions" if dims else "(n, *feature_shape)",
            tuple(value.shape),
            "Reshape it.",
        )
        _require(
            _all_finite(value),
            name,
            "finite values",
            "NaN or infinity",
            "Lower the learning rate, or look for bad values in the data.",
        )

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def feature_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return tuple(self.inputs.shape[1:])

    @property
    def num_classes(self) -> int:
        """Width of a target row."""
        return self.targets.shape[1]

    @property
    def labels(self) -> Tensor:
        """The most probable class of each row: int64, (n,)."""
        return self.targets.argmax(dim=1)


@dataclass(frozen=True, slots=True)
class LazySets(Sequence[SyntheticSet]):
    """Sets in order, each made when it is asked for and not kept.

    Attributes
    ----------
    makers
        One a set; the same set every time.
    labels
        Of the rows of each set, where somebody has read them already: (n,) a set, int64.
    """

    makers: Sequence[Callable[[], SyntheticSet]]
    labels: Sequence[Tensor] | None = None

    def __len__(self) -> int:
        return len(self.makers)

    @overload
    def __getitem__(self, at: int) -> SyntheticSet: ...
    @overload
    def __getitem__(self, at: slice) -> LazySets: ...
    def __getitem__(self, at: int | slice) -> SyntheticSet | LazySets:
        if not isinstance(at, slice):
            return self.makers[at]()
        return LazySets(self.makers[at], None if self.labels is None else self.labels[at])


def each_moved(parts: Sequence[SyntheticSet], device: torch.device) -> LazySets:
    """Return `parts`, each brought to `device` when it is asked for."""
    makers = [partial(_moved_one, parts, at, device) for at in range(len(parts))]
    return LazySets(makers, getattr(parts, "labels", None))


def _moved_one(parts: Sequence[SyntheticSet], at: int, device: torch.device) -> SyntheticSet:
    return moved(parts[at], device)


def labels_of(parts: Sequence[SyntheticSet]) -> Iterator[Tensor]:
    """Return the labels of each set, without reading sets whose labels are known."""
    known: Sequence[Tensor] | None = getattr(parts, "labels", None)
    return (part.labels for part in parts) if known is None else iter(known)


def concatenate(parts: Sequence[SyntheticSet]) -> SyntheticSet:
    """Join sets row by row, in the order given; of `LazySets` one is in memory at a time.

    These are read twice, unless their labels are known: joined in one pass, they would all be in
    memory beside the result. The result says of each row which set it came from.

    Raises
    ------
    WireError
        If there is none, or their feature shapes or class counts differ.
    """
    _require(bool(parts), "parts", "at least one set", "none", "Merge at least one reply.")
    rows = [len(labels) for labels in labels_of(parts)]
    n, end, meta = sum(rows), 0, dict[str, str]()
    inputs = targets = weights = torch.empty(0)
    for place, part in enumerate(parts):
        if place == 0:
            inputs = part.inputs.new_empty(n, *part.feature_shape)
            targets, weights = inputs.new_empty(n, part.num_classes), inputs.new_empty(n)
            meta = dict(part.meta)
        kind = part.feature_shape, part.num_classes
        _require(
            kind == (inputs.shape[1:], targets.shape[1]),
            "parts",
            "one feature shape and class count",
            f"{kind} beside others",
            "Merge sets of one plan only.",
        )
        start, end = end, end + len(part)
        inputs[start:end], targets[start:end] = part.inputs, part.targets
        weights[start:end] = part.weights
    origin = torch.arange(len(rows), dtype=torch.int32).repeat_interleave(torch.tensor(rows))
    origin = origin.to(inputs.device)
    return SyntheticSet(inputs=inputs, targets=targets, weights=weights, meta=meta, origin=origin)


def _all_finite(values: Tensor) -> bool:
    # `isfinite` would take two and a half times the memory of the values
    if not values.numel():
        return True
    low, high = values.aminmax()  # NaN where there is one
    return bool(low.isfinite() & high.isfinite())


def _require(ok: bool, field_: str, expected: str, got: object, remedy: str) -> None:
    if not ok:
        raise WireError(f"SyntheticSet.{field_}", expected=expected, got=got, remedy=remedy)
