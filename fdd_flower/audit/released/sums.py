"""Noisy sums of one clipped vector a record: the form of every private release here."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from fdd_flower.audit.released.base import reduced
from fdd_flower.data.base import Split
from fdd_flower.privacy.mechanism import Mechanism
from fdd_flower.privacy.noise import Noise, discrete_gaussian
from fdd_flower.synthetic_set import SyntheticSet

GRID = 2**16

# normalised inputs (n, *feature_shape) -> a vector each, (n, d), of about length 1
Vectors = Callable[[Tensor], Tensor]


class Sums:
    """A sum a class, with the noise of the discrete Gaussian mechanism.

    Parameters
    ----------
    vectors
        What each record gives; the mechanism clips it to length 1.
    sigma
        Noise multiplier.
    rows
        Drawn from the sums, where a mode draws any.
    """

    by_class = True

    def __init__(
        self,
        records: Split,
        vectors: Vectors,
        sigma: float,
        *,
        noise: Noise = discrete_gaussian,
        rows: SyntheticSet | None = None,
    ) -> None:
        self._vectors, self.rows = vectors, rows
        mechanism = Mechanism(GRID, sigma, noise)
        whole = mechanism.whole(vectors(records.inputs))
        total = whole.new_zeros(len(records.classes), whole.shape[1])
        total.index_add_(0, records.labels, whole)
        self._observed = mechanism.release(total).float() / GRID

    def vectors(self, records: Split) -> Tensor:
        """Return what each record gives, (n, d)."""
        given = self._vectors(records.inputs)
        lengths = given.norm(dim=1, keepdim=True).clamp_min(1)
        return reduced(given / lengths)

    def observed(self) -> Tensor:
        """Return the noisy sums, (k, d)."""
        return reduced(self._observed)

    def scores(self, records: Split, *, learned: bool = True) -> dict[str, Tensor]:
        """Return nothing: the trace is all there is to a sum."""
        return {}


def values(inputs: Tensor) -> Tensor:
    """Return normalised records as vectors whose usual length is 1."""
    flat = inputs.flatten(1)
    return flat / flat.shape[1] ** 0.5
