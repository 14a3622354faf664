"""Arrays too large for memory: they lie in files that vanish with them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fdd_flower.device import HOST
from fdd_flower.errors import DataError

IN_MEMORY = 2**30  # bytes: a larger array lies in a file
TILE = 2**26  # bytes of a large array that are made at once


def by_tiles(make: Callable[[slice], np.ndarray], count: int) -> np.ndarray:
    """Return `make(slice(0, count))`: at once, or into a file a tile after the other.

    Bytes are the same either way if each row of `make` depends on no other row. The operating
    system reads such a file as it is used, and keeps as much of it as there is memory to spare.

    Parameters
    ----------
    make
        Gives rows (n, ...) of a slice, of one type and shape.

    Raises
    ------
    DataError
        If the disk has no room for the file.
    """
    first = make(slice(0, min(1, count)))
    if count * first.nbytes <= IN_MEMORY:
        return make(slice(0, count))
    found = room((count, *first.shape[1:]), first.dtype)
    for some in _slices(count, first.nbytes, TILE):
        found[some] = make(some)
    return found


def room(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return an array of zeros, in memory or, if it is large, in a file.

    Raises
    ------
    DataError
        If the disk has no room for the file.
    """
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if size <= IN_MEMORY:
        return np.zeros(shape, dtype=dtype)
    folder = scratch_folder()
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DataError(
            f"scratch folder {folder}",
            expected=f"{size / 2**30:,.1f} GiB of free disk for records that memory does not hold",
            got=f"{free / 2**30:,.1f} GiB",
            remedy="Free some, name another folder in the environment variable TMPDIR, or lower "
            "data.image-size.",
        )
    # it has no name, or loses it: whatever ends the process, nothing of the records is left
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.memmap(file, dtype=dtype, mode="w+", shape=shape)


def scratch_folder() -> Path:
    """Return where such files lie: $TMPDIR, or in the home, as /tmp is often memory."""
    named = os.environ.get("TMPDIR")
    return Path(named) if named else Path.home() / ".fdd-flower" / "scratch"


def taken(inputs: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the rows of `inputs` at `places`, int64, in that order."""
    return by_tiles(lambda some: inputs[places[some]], len(places))


def taken_rows(inputs: Tensor, places: Tensor) -> Tensor:
    """Return the rows of `inputs` at `places`, int64, or where a mask is true, in that order."""
    if inputs.device != HOST:
        return inputs[places]  # what is on an accelerator is in its memory
    if places.dtype == torch.bool:
        places = places.nonzero()[:, 0]
    return torch.from_numpy(taken(inputs.numpy(), places.numpy()))


def by_class(inputs: Tensor, labels: Tensor, classes: int) -> Iterator[Tensor]:
    """Yield the rows (n, ...) of each class, in the order that they have.

    If `inputs` lie in a file, so do these rows: in the same file if rows are in order of classes.
    """
    if inputs.device != HOST or inputs.nbytes <= IN_MEMORY:
        yield from (inputs[labels == label] for label in range(classes))
        return
    order = labels.argsort(stable=True)
    if not torch.equal(order, torch.arange(len(order))):
        inputs = taken_rows(inputs, order)
    yield from inputs.split(torch.bincount(labels, minlength=classes).tolist())


def mean_and_std(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each channel of inputs (n, c, ...): float64, (c,).

    The same as NumPy's, to the bit where there is memory for all of them in double precision.
    """
    axes, count = (0, *range(2, inputs.ndim)), inputs.size // inputs.shape[1]
    total = squares = np.zeros(inputs.shape[1])
    for some in _slices(len(inputs), 8 * inputs[0].size, IN_MEMORY):
        total = total + inputs[some].sum(axis=axes, dtype=np.float64)
    mean = total / count
    centre = mean.reshape(-1, *[1] * (inputs.ndim - 2))
    for some in _slices(len(inputs), 8 * inputs[0].size, IN_MEMORY):
        squares = squares + _squares(inputs[some] - centre).sum(axis=axes)
    return mean, np.sqrt(squares / count)


def _squares(values: np.ndarray) -> np.ndarray:
    """Return the squares of `values` in their place: a second copy would be the peak of memory."""
    return np.square(values, out=values)


def all_finite(inputs: np.ndarray) -> bool:
    """Tell whether no value is NaN or infinite."""
    tiles = _slices(len(inputs), inputs[:1].nbytes, TILE)
    return all(bool(np.isfinite(inputs[some]).all()) for some in tiles)


def rows_where(odd: Callable[[np.ndarray], np.ndarray], inputs: np.ndarray) -> np.ndarray:
    """Return which rows (n, ...) hold a value that is `odd`, element by element; bool (n,)."""
    found = np.zeros(len(inputs), dtype=bool)
    if inputs.dtype.kind == "f":
        axes = tuple(range(1, inputs.ndim))
        for some in _slices(len(inputs), inputs[:1].nbytes, TILE):
            found[some] = odd(inputs[some]).any(axis=axes)
    return found


def _slices(count: int, row_bytes: int, tile: int) -> Iterator[slice]:
    step = max(1, tile // max(1, row_bytes))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))
