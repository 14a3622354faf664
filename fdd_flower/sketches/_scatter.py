"""A large symmetric matrix of sums in 15 bits per value: its main part apart, then the rest.

A gram matrix is mostly its few main directions. In half precision, float16 as it is, the error of
these drowns all others, and ridge regression on the sum of ten such matrices guesses. What is left
without them is small, so that a step of the same number of bits is small too.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from fdd_flower.rng import stream
from fdd_flower.sketches.integers import check_planes, from_planes, to_planes
from fdd_flower.wire.arrays import require, require_finite
from fdd_flower.wire.refusals import Code

RANK = 16  # main directions that travel apart
POWERS = 3  # steps to them; they need not be exact, as what is left says how far off they are
BITS = 15
TOP = 2 ** (BITS - 1) - 1
TINY = 1e-12  # of the largest: a direction or a value below it is rounding
MAIN, SCALE, REST = "main", "scale", "rest"

Arrays = dict[str, np.ndarray]


def pack(matrix: Tensor) -> Arrays:
    """Return a positive semi-definite matrix (d, d), double, on the CPU, as `unpack` reads it.

    `main` L (RANK, d): L'L is the part that is taken off, the Nystroem approximation in main
    directions, so that what is left has no negative direction either. `scale` s (d,): the roots of
    its diagonal. `rest`: its upper triangle above the diagonal over s_i s_j, which is from -1 to 1,
    in steps of 1 / TOP.
    """
    main = main_part(matrix)
    left = matrix - main.double().T @ main.double()
    scale = left.diagonal().clamp_min(0).sqrt().float()
    above = _above(len(matrix))
    code = _over(left, scale)[above].mul(TOP).round().clamp(-TOP, TOP).to(torch.int64)
    return {
        MAIN: main.numpy(),
        SCALE: scale.numpy(),
        REST: to_planes(code, BITS),
    }


def unpack(arrays: Arrays, d: int) -> Tensor:
    """Return the matrix (d, d), double, that `pack` packed; its diagonal is nearly exact."""
    main, scale = (torch.from_numpy(arrays[name].copy()).double() for name in (MAIN, SCALE))
    rest = torch.zeros(d, d, dtype=torch.float64)
    code = from_planes(arrays[REST], (d * (d - 1) // 2,)).double()
    rest[_above(d)] = code / TOP
    rest = (rest + rest.T + torch.eye(d, dtype=torch.float64)) * scale[:, None] * scale
    return rest + main.T @ main


def check(arrays: Arrays, d: int, largest: float) -> None:
    """Check that `arrays` are what `pack` returns for a matrix (d, d) with values up to `largest`.

    Raises
    ------
    RefusedError
        If they are not.
    """
    for name, shape in ((MAIN, (RANK, d)), (SCALE, (d,))):
        array = arrays[name]
        require(array.dtype == np.float32, name, "float32", str(array.dtype)[:100], Code.DTYPE)
        require(array.shape == shape, name, f"shape {shape}", str(array.shape)[:100], Code.SHAPE)
        require_finite(name, array)
        inside = bool((np.abs(array.astype(np.float64)) <= 2 * largest**0.5).all())
        require(inside, name, "roots of sums that so many records can have", "more", Code.RANGE)
    check_planes(REST, arrays[REST], (d * (d - 1) // 2,), bits=BITS)


def size(d: int) -> int:
    """Return the bytes that the arrays of a matrix (d, d) take."""
    return 4 * (RANK + 1) * d + BITS * -(-d * (d - 1) // 2 // 8)


def main_part(matrix: Tensor) -> Tensor:
    """Return L (RANK, d), float32, of a positive semi-definite matrix A (d, d): L'L is close to A.

    L'L = A Q (Q'A Q)^-1 Q'A, with Q from subspace iteration; A - L'L has no negative direction
    (Williams and Seeger, NIPS 2000, for kernels). Directions that A lacks are rows of zeros.
    """
    d = len(matrix)
    found = torch.zeros(RANK, d)
    basis = torch.randn(d, min(RANK, d), generator=stream(d, "sketch-main"), dtype=torch.float64)
    for _ in range(POWERS):
        basis = torch.linalg.qr(matrix @ basis).Q
    image = matrix @ basis
    values, vectors = torch.linalg.eigh(basis.T @ image)
    some = values > TINY * values.max().clamp_min(0) + torch.finfo(torch.float64).tiny
    found[: int(some.sum())] = ((image @ vectors[:, some]) / values[some].sqrt()).T.float()
    return found


def _above(d: int) -> tuple[Tensor, Tensor]:
    rows, columns = torch.triu_indices(d, d, offset=1)
    return rows, columns


def _over(left: Tensor, scale: Tensor) -> Tensor:
    """Return `left` over the products of `scale`, 0 where that is rounding."""
    unit = scale.double()[:, None] * scale.double()
    smallest = TINY * unit.max().clamp_min(torch.finfo(torch.float64).tiny)
    return torch.where(unit > smallest, left / unit.clamp_min(smallest), 0.0)
