"""A basis on the way down and sums of features on the way up <-> arrays of a message."""

from __future__ import annotations

import numpy as np
import torch
from flwr.app import ArrayRecord

from fdd_flower.training.finish.readout import Basis
from fdd_flower.training.finish.sums import Sums
from fdd_flower.wire.arrays import Layout, check_arrays
from fdd_flower.wire.packed import bad, check_records, pack, tensors_of, unpack
from fdd_flower.wire.records import to_array_record, to_numpy
from fdd_flower.wire.refusals import Code

HEADROOM = 4096  # bytes of NPY headers
TOLERANCE = 1.5  # of the square of a product that is 1 at most: rounding adds to it
PACKED = ("second", "products")


def basis_record(basis: Basis) -> ArrayRecord:
    """Return a basis as it goes down."""
    rows, columns = torch.triu_indices(*basis.codes.shape)
    arrays = {"codes": basis.codes[rows, columns].numpy(), "scales": basis.scales.numpy()}
    return to_array_record(arrays)


def read_basis(record: ArrayRecord, dimensions: int) -> Basis:
    """Return the basis in a message from the server, for features of so many `dimensions`.

    Raises
    ------
    WireError
        If it is malformed, or for features of another model.
    """
    size = dimensions * (dimensions + 1) // 2
    arrays = to_numpy(record, max_bytes=basis_bytes(dimensions))
    check_arrays(
        arrays,
        {
            "codes": Layout(np.int8, (size,), by_row=False),
            "scales": Layout(np.float32, (dimensions,), by_row=False),
        },
    )
    codes = torch.zeros(dimensions, dimensions, dtype=torch.int8)
    rows, columns = torch.triu_indices(dimensions, dimensions)
    codes[rows, columns] = torch.from_numpy(arrays["codes"])
    return Basis(codes, torch.from_numpy(arrays["scales"]))


def basis_bytes(dimensions: int) -> int:
    """Return the most bytes that a basis takes in a message."""
    return dimensions * (dimensions + 1) // 2 + 4 * dimensions + HEADROOM


def sums_record(sums: Sums) -> ArrayRecord:
    """Return sums as they go up."""
    plain = {name: array.numpy() for name, array in tensors_of(sums).items()}
    return to_array_record({n: pack(a) if n in PACKED else a for n, a in plain.items()})


def sums_bytes(dimensions: int, num_classes: int) -> int:
    """Return the most bytes that sums take in a message."""
    values = dimensions * (dimensions + 1) // 2 + dimensions * num_classes
    return values + values // 1000 + 2 * dimensions + HEADROOM


def read_sums(
    record: ArrayRecord, dimensions: int, num_classes: int, *, tolerance: float = TOLERANCE
) -> Sums:
    """Return the sums in a reply.

    Parameters
    ----------
    tolerance
        Largest sum of squares in a row of `products`.

    Raises
    ------
    RefusedError
        If an array is missing, malformed or of another shape; or if no records have such sums: a
        mean product is at most as large as the lengths of both sides.
    """
    found = to_numpy(record, max_bytes=sums_bytes(dimensions, num_classes))
    sizes = {"second": (dimensions * (dimensions - 1) // 2,), "products": (dimensions, num_classes)}
    arrays = {n: unpack(n, a, sizes[n]) if n in sizes else a for n, a in found.items()}
    check_arrays(
        arrays,
        {
            **{name: Layout(np.int8, shape, by_row=False) for name, shape in sizes.items()},
            "lengths": Layout(np.float16, (dimensions,), by_row=False),
            "steps": Layout(np.float32, (2,), by_row=False),
            "records": Layout(np.int64, (1,), by_row=False),
        },
    )
    check_records(arrays)
    for name in ("lengths", "steps"):
        if not (smallest := float(arrays[name].min())) > 0:
            raise bad(name, "numbers above 0", f"{smallest:g}", Code.RANGE)
    for name, step in zip(PACKED, arrays["steps"].astype(np.float64), strict=True):
        bound = TOLERANCE if name == "second" else tolerance
        if step**2 > bound:  # whatever the codes: it also says how far rounding is off
            raise bad("steps", f"a square of at most {bound:g}", f"{step**2:g}", Code.RANGE)
        values = arrays[name].astype(np.float64) * step
        # of a feature with all classes together: a record has one class
        squares = np.square(values if values.ndim > 1 else values[:, None]).sum(axis=1)
        largest = float(squares.max(initial=0))
        if largest > bound:
            raise bad(name, f"a square of at most {bound:g}", f"{largest:g}", Code.RANGE)
    return Sums(**{name: torch.from_numpy(array) for name, array in arrays.items()})
