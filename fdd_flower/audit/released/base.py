"""What left a client, as an attacker takes it: rows, and sums of one vector a record."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from fdd_flower.data.base import Split
from fdd_flower.rng import stream
from fdd_flower.synthetic_set import SyntheticSet

WIDEST = 2048  # dimensions of a vector that an attack works with; wider ones are projected


class Release(Protocol):
    """What left a client.

    Attributes
    ----------
    rows
        Synthetic rows, sent or drawn from what was sent; None: there are none.
    by_class
        Whether `observed` has a row a class, or one for all.
    noise
        Standard deviation of the noise in each number of `observed`; 0: there is none by design.
    """

    rows: SyntheticSet | None
    by_class: bool
    noise: float

    def vectors(self, records: Split) -> Tensor:
        """Return what each record would add to the sums, (n, d), up to a common factor."""
        ...

    def observed(self) -> Tensor:
        """Return the sums over the client's records as far as the release shows them.

        (k, d), a row a class; or (1, d).
        """
        ...

    def scores(self, records: Split, *, learned: bool = True) -> dict[str, Tensor]:
        """Return scores of its own kind, (n,) each; higher is more likely a member.

        Parameters
        ----------
        learned
            Also those that need a model to be trained first.
        """
        ...


def reduced(vectors: Tensor, widest: int = WIDEST) -> Tensor:
    """Return vectors (n, d) in at most `widest` dimensions, with their products kept in the mean.

    A count sketch (Charikar, Chen, Farach-Colton 2002): every dimension is added to one of the
    new ones, with a sign, both drawn once for a width.
    """
    width = vectors.shape[1]
    if width <= widest:
        return vectors
    rng = stream(width, "reduced", widest)
    place = torch.randint(widest, (width,), generator=rng)
    sign = 2.0 * torch.randint(2, (width,), generator=rng) - 1
    return vectors.new_zeros(len(vectors), widest).index_add_(1, place, vectors * sign)


def of_class(values: Tensor, labels: Tensor, count: int) -> Tensor:
    """Return the mean of `values` (n, d) over each of `count` classes, (count, d); 0: no record."""
    sums = values.new_zeros(count, values.shape[1]).index_add_(0, labels, values)
    counts = torch.bincount(labels, minlength=count).clamp_min(1)
    return sums / counts[:, None]
