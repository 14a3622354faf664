"""A basis on the way down and sums of features on the way up <-> arrays of a message."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import fields

import numpy as np
import torch
from flwr.app import ArrayRecord
from torch import Tensor

from fdd_flower.training.readout import Basis, Sums
from fdd_flower.wire.arrays import Layout, check_arrays
from fdd_flower.wire.records import to_array_record, to_numpy
from fdd_flower.wire.refusals import Code, RefusedError

MOST_RECORDS = 10**9
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
    plain = {name: array.numpy() for name, array in to_tensors(sums).items()}
    return to_array_record({n: _packed(a) if n in PACKED else a for n, a in plain.items()})


def sums_bytes(dimensions: int, num_classes: int) -> int:
    """Return the most bytes that sums take in a message."""
    values = dimensions * (dimensions + 1) // 2 + dimensions * num_classes
    return values + values // 1000 + 2 * dimensions + HEADROOM


def read_sums(record: ArrayRecord, dimensions: int, num_classes: int) -> Sums:
    """Return the sums in a reply.

    Raises
    ------
    RefusedError
        If an array is missing, malformed or of another shape; or if no records have such sums: a
        mean product is at most as large as the lengths of both sides.
    """
    found = to_numpy(record, max_bytes=sums_bytes(dimensions, num_classes))
    sizes = {"second": (dimensions * (dimensions - 1) // 2,), "products": (dimensions, num_classes)}
    arrays = {n: _unpacked(n, a, sizes[n]) if n in sizes else a for n, a in found.items()}
    check_arrays(
        arrays,
        {
            **{name: Layout(np.int8, shape, by_row=False) for name, shape in sizes.items()},
            "lengths": Layout(np.float16, (dimensions,), by_row=False),
            "steps": Layout(np.float32, (2,), by_row=False),
            "records": Layout(np.int64, (1,), by_row=False),
        },
    )
    if not 0 < arrays["records"][0] <= MOST_RECORDS:
        raise _bad("records", f"1 to {MOST_RECORDS}", int(arrays["records"][0]), Code.WEIGHTS)
    for name in ("lengths", "steps"):
        if not (smallest := float(arrays[name].min())) > 0:
            raise _bad(name, "numbers above 0", f"{smallest:g}", Code.RANGE)
    for name, step in zip(PACKED, arrays["steps"], strict=True):
        values = arrays[name].astype(np.float64) * step
        # of a feature with all classes together: a record has one class
        squares = np.square(values if values.ndim > 1 else values[:, None]).sum(axis=1)
        largest = float(squares.max(initial=0))
        if largest > TOLERANCE:
            raise _bad(name, f"a square of at most {TOLERANCE:g}", f"{largest:g}", Code.RANGE)
    return from_tensors({name: torch.from_numpy(array) for name, array in arrays.items()})


def to_tensors(sums: Sums) -> dict[str, Tensor]:
    """Return sums as the ledger keeps them."""
    return {field.name: getattr(sums, field.name) for field in fields(Sums)}


def from_tensors(kept: Mapping[str, Tensor]) -> Sums:
    """Return what `to_tensors` was given."""
    return Sums(**kept)


def _packed(codes: np.ndarray) -> np.ndarray:
    """Return int8 codes under a Huffman code of their own."""
    coder = zlib.compressobj(9, strategy=zlib.Z_HUFFMAN_ONLY)
    packed = coder.compress(codes.tobytes()) + coder.flush()
    return np.frombuffer(packed, np.uint8)


def _unpacked(name: str, packed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if packed.dtype != np.uint8 or packed.ndim != 1:
        raise _bad(name, "a row of uint8", f"{packed.dtype}, {packed.shape}"[:80], Code.DTYPE)
    size, reader = int(np.prod(shape)), zlib.decompressobj()
    try:
        found = reader.decompress(packed.tobytes(), size + 1)
    except zlib.error as error:
        raise _bad(name, "a zlib stream", str(error)[:80], Code.UNDECODABLE) from error
    if len(found) != size or not reader.eof or reader.unused_data:
        raise _bad(name, f"a zlib stream of {size} bytes", "another", Code.UNDECODABLE)
    return np.frombuffer(found, np.int8).reshape(shape).copy()


def _bad(name: str, expected: str, got: object, code: Code) -> RefusedError:
    return RefusedError(f"reply.arrays.{name}", expected=expected, got=got, code=code)
