"""The strict checks that every codec shares: nothing in a message is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import DTypeLike

from fdd_flower.device import on_host
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.refusals import Code, RefusedError

# Inputs are normalised, so honest values are of the order of 1. No record is further than
# sqrt(n - 1) deviations from the mean of the n records that gave the constants (Samuelson 1968), so
# the bound takes any record of 100 million; and every value stays far inside float16's 65,504.
MAX_MAGNITUDE = 1e4
# Real records that a row may stand for. Outside it sums over a few thousand rows lose digits.
MIN_WEIGHT, MAX_WEIGHT = 1e-6, 1e9


@dataclass(frozen=True, slots=True)
class Layout:
    """What one array must be.

    Attributes
    ----------
    dtype
        Exactly, in this machine's byte order.
    shape
        Of one row if `by_row`, of the whole array otherwise.
    by_row
        Whether a first axis of rows, as long as that of every other such array, comes before.
    """

    dtype: DTypeLike
    shape: tuple[int, ...]
    by_row: bool = True


def check_arrays(arrays: Mapping[str, np.ndarray], layouts: Mapping[str, Layout]) -> None:
    """Check that `arrays` holds exactly what `layouts` says, all of it finite.

    Raises
    ------
    WireError
        At the first array that does not fit.
    """
    require(isinstance(arrays, Mapping), "arrays", "a mapping", type(arrays).__name__, Code.ARRAYS)
    names = ", ".join(sorted(map(repr, arrays)))[:200]
    require(set(arrays) == set(layouts), "arrays", f"exactly {sorted(layouts)}", names, Code.ARRAYS)
    for name, layout in layouts.items():
        _check_kind(name, arrays[name], layout)
    rows = {name: len(arrays[name]) for name, layout in layouts.items() if layout.by_row}
    require(min(rows.values(), default=1) > 0, "arrays", "at least one row", rows, Code.EMPTY)
    alike = len(set(rows.values())) <= 1
    require(alike, "arrays", "as many rows in one as in the other", rows, Code.SHAPE)
    for name in layouts:
        require_finite(name, arrays[name])


def _check_kind(name: str, array: object, layout: Layout) -> None:
    # Not isinstance: a subclass may redefine what indexing and comparing mean.
    require(type(array) is np.ndarray, name, "a numpy array", type(array).__name__, Code.DTYPE)
    assert isinstance(array, np.ndarray)
    dtype = np.dtype(layout.dtype)
    require(array.dtype == dtype, name, str(dtype), str(array.dtype)[:100], Code.DTYPE)
    skip = int(layout.by_row)
    fits = array.ndim == len(layout.shape) + skip and array.shape[skip:] == layout.shape
    wanted = str(("rows", *layout.shape) if layout.by_row else layout.shape).replace("'", "")
    require(fits, name, f"shape {wanted}", str(array.shape)[:100], Code.SHAPE)
    # A broadcast view can claim gigabytes over a few bytes.
    whole = array.flags.c_contiguous
    require(whole, name, "a contiguous array in C order", array.strides, Code.SHAPE)


def to_arrays(part: SyntheticSet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return inputs, targets and weights of `part`, on any device, as float32 arrays of their own.

    Raises
    ------
    WireError
        If a value is one that `to_set` would refuse at the other end.
    """
    inputs, targets, weights = (
        np.array(on_host(tensor.detach()).numpy(), order="C")
        for tensor in (part.inputs, part.targets, part.weights)
    )
    _check_ranges(inputs, weights)
    return inputs, targets, weights


def to_set(inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> SyntheticSet:
    """Return the set of decoded, finite arrays, in memory of its own.

    Raises
    ------
    WireError
        If an input or a weight is out of range, or a target row is not a distribution.
    """
    _check_ranges(inputs, weights)
    inputs = inputs.astype(np.float32)
    # Nothing that is measured is as small, and a subnormal costs some processors a hundred times
    # the time of a plain number.
    inputs[np.abs(inputs) < np.finfo(np.float32).tiny] = 0
    return SyntheticSet(
        inputs=torch.from_numpy(inputs),
        targets=torch.from_numpy(targets.astype(np.float32)),
        weights=torch.from_numpy(weights.astype(np.float32)),
    )


def _check_ranges(inputs: np.ndarray, weights: np.ndarray) -> None:
    require_finite("inputs", inputs)
    require_finite("weights", weights)
    largest = float(np.abs(inputs).max(initial=0))
    wanted = f"values within +-{MAX_MAGNITUDE:g}"
    require(largest <= MAX_MAGNITUDE, "inputs", wanted, largest, Code.RANGE)
    low, high = float(weights.min()), float(weights.max())
    allowed, got = f"values from {MIN_WEIGHT:g} to {MAX_WEIGHT:g}", f"{low:g} to {high:g}"
    require(low >= MIN_WEIGHT and high <= MAX_WEIGHT, "weights", allowed, got, Code.WEIGHTS)


def require_finite(what: str, array: np.ndarray) -> None:
    """Raise a WireError about array `what` if a value is NaN or infinite."""
    finite = bool(np.isfinite(array).all())
    require(finite, what, "finite values", "NaN or infinity", Code.NOT_FINITE)


def require(ok: bool, what: str, expected: str, got: object, code: Code = Code.UNDECODABLE) -> None:
    """Raise a WireError about array `what`, with the code of the rule, unless `ok`."""
    if not ok:
        remedy = "Run the same version on both sides."
        raise RefusedError(what, expected=expected, got=got, remedy=remedy, code=code)
