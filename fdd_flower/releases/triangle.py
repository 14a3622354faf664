"""Products of bounded vectors in pairs: whole numbers, summed exactly, an upper triangle."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fdd_flower.device import on_host
from fdd_flower.privacy.mechanism import whole

STEPS = 2**12  # of the grid of u: products of 2^24, whose sums over 2^28 records doubles hold
UNIT = STEPS**2  # steps of a norm of 1 of u u', which is |u|^2


class Triangle:
    """The upper triangle of u u', of vectors u (n, width) that are rounded to whole numbers first.

    Off the diagonal an entry stands for two of the matrix, and gets noise less by the square root
    of 2: that is the noise of a Gaussian mechanism on the whole matrix.

    Attributes
    ----------
    size
        Numbers of the triangle.
    """

    def __init__(self, width: int) -> None:
        self.width, self.size = width, width * (width + 1) // 2
        self._rows, self._columns = torch.triu_indices(width, width)

    @property
    def spread(self) -> Tensor:
        """Noise of each entry over that of a norm of 1: float64, (size,)."""
        spread = torch.ones(self.size, dtype=torch.float64)
        spread[self._rows != self._columns] = math.sqrt(0.5)
        return spread

    def each(self, vectors: Tensor, most: int) -> Tensor:
        """Return each record's triangle, int64 (n, size), of norm 1 / `most`."""
        u = on_host(whole(vectors, STEPS, parts=most))
        return u[:, self._rows] * u[:, self._columns]

    def sum(self, vectors: Tensor, most: int) -> Tensor:
        """Return the sum of what `each` returns, int64 (size,) on the CPU."""
        u = whole(vectors, STEPS, parts=most).double()
        return on_host(u.T @ u)[self._rows, self._columns].long()

    def matrices(self, values: Tensor) -> Tensor:
        """Return symmetric matrices (..., width, width) of triangles (..., size)."""
        full = values.new_zeros(*values.shape[:-1], self.width, self.width)
        full[..., self._rows, self._columns] = values
        return full + full.triu(1).mT

    @staticmethod
    def edge(noise: Tensor, size: int) -> Tensor:
        """Return about the largest eigenvalue of `size` x `size` noise, `noise` on its diagonal."""
        return math.sqrt(2 * size) * noise
