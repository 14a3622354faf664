"""Changes of a model's parameters, and the directions they make <-> arrays of a message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from flwr.app import ArrayRecord

from fdd_flower.training.finish.fine_tune import LARGEST, LEVELS, Change
from fdd_flower.training.finish.fitted import MOST, Directions
from fdd_flower.wire.arrays import Layout, check_arrays
from fdd_flower.wire.packed import bad, check_records, pack, tensors_of, unpack
from fdd_flower.wire.records import to_array_record, to_numpy
from fdd_flower.wire.refusals import Code

HEADROOM = 4096  # bytes of NPY headers


def change_record(change: Change) -> ArrayRecord:
    """Return a change as it goes up."""
    arrays = {name: array.numpy() for name, array in tensors_of(change).items()}
    return to_array_record({**arrays, "codes": pack(arrays["codes"])})


def change_bytes(sizes: Sequence[int]) -> int:
    """Return the most bytes that a change of parameters of such `sizes` takes in a message."""
    values = sum(sizes)
    # 15 codes take at most four bits each, and 32 bytes a block say which
    return values // 2 + values // 64 + 4 * len(sizes) + HEADROOM


def read_change(record: ArrayRecord, sizes: Sequence[int]) -> Change:
    """Return the change in a reply, of parameters of such `sizes`.

    Raises
    ------
    RefusedError
        If an array is missing, malformed, or of another model; or a number is out of range.
    """
    found = to_numpy(record, max_bytes=change_bytes(sizes))
    shape = (sum(sizes),)
    arrays = {n: unpack(n, a, shape) if n == "codes" else a for n, a in found.items()}
    check_arrays(
        arrays,
        {
            "codes": Layout(np.int8, shape, by_row=False),
            "steps": Layout(np.float32, (len(sizes),), by_row=False),
            "records": Layout(np.int64, (1,), by_row=False),
        },
    )
    check_records(arrays)
    _check_values(arrays)
    return Change(**{name: torch.from_numpy(array) for name, array in arrays.items()})


def directions_record(directions: Directions) -> ArrayRecord:
    """Return directions as they go down."""
    arrays = {name: array.numpy() for name, array in tensors_of(directions).items()}
    return to_array_record({**arrays, "codes": pack(arrays["codes"])})


def read_directions(record: ArrayRecord, sizes: Sequence[int]) -> Directions:
    """Return the directions in a message from the server, for parameters of such `sizes`.

    Raises
    ------
    WireError
        If they are malformed, of another model, or more than `MOST` changes.
    """
    found = to_numpy(record, max_bytes=MOST * change_bytes(sizes))
    many = len(found["steps"]) if "steps" in found and found["steps"].ndim else 0
    if not 0 < many <= MOST:
        raise bad("steps", f"of 1 to {MOST} changes", many, Code.SHAPE)
    shape = (many, sum(sizes))
    arrays = {n: unpack(n, a, shape) if n == "codes" else a for n, a in found.items()}
    check_arrays(
        arrays,
        {
            "codes": Layout(np.int8, shape, by_row=False),
            "steps": Layout(np.float32, (many, len(sizes)), by_row=False),
        },
    )
    _check_values(arrays)
    return Directions(**{name: torch.from_numpy(array) for name, array in arrays.items()})


def _check_values(arrays: Mapping[str, np.ndarray]) -> None:
    low, high = float(arrays["steps"].min()), float(arrays["steps"].max())
    if low <= 0 or high > LARGEST:
        raise bad("steps", f"numbers above 0, to {LARGEST:g}", f"{low:g} to {high:g}", Code.RANGE)
    # as integers: the size of the least int8 is no int8
    if (largest := int(np.abs(arrays["codes"].astype(np.int16)).max())) > LEVELS:
        raise bad("codes", f"codes from -{LEVELS} to {LEVELS}", largest, Code.RANGE)
