"""Sums over many parties' records, and the regression that is solved from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from fdd_flower.training.finish._rounding import rounded

# Chosen on held-out training records of Fashion-MNIST (docs/decisions/0013-a-round-that-gains.md).
PENALTY = 0.01  # of the regression, in diagonals of the sum
ROUNDING = 0.25  # added to it, in the largest eigenvalue of what rounding adds
STEP = 0.6  # between two codes of a product of features, in standard deviations of all of them
LEVELS = 127
SHORTEST, LONGEST = 1e-4, 6e4  # lengths that a float16 holds


@dataclass(frozen=True, slots=True)
class Sums:
    """Means over a party's records of what a regression needs of them, most in a byte each.

    Attributes
    ----------
    lengths
        Root mean square of each feature (d,), float16.
    second
        Mean products of two features over both their lengths, between -1 and 1: the upper triangle
        without its diagonal, row by row, int8.
    products
        Mean products of features and classes over the features' lengths, int8 (d, k).
    steps
        What 1 stands for in `second` and in `products`, float32 (2,).
    records
        How many there are, int64 (1,).
    """

    lengths: Tensor
    second: Tensor
    products: Tensor
    steps: Tensor
    records: Tensor

    @classmethod
    def of(cls, features: Tensor, targets: Tensor, *, rng: torch.Generator) -> Sums:
        """Return the sums of records with `features` (n, d) and `targets` (n, k), float64.

        They are rounded up or down at random, so that they are right in the mean, and the rounding
        of many parties cancels.
        """
        n = len(features)
        return cls.from_means(
            features.T @ features / n, features.T @ targets / n, records=n, coarse=STEP, rng=rng
        )

    @classmethod
    def from_means(
        cls,
        second: Tensor,
        products: Tensor,
        *,
        records: int,
        coarse: float,
        rng: torch.Generator,
    ) -> Sums:
        """Return the sums of records whose mean products are known, (d, d) and (d, k), float64.

        Parameters
        ----------
        coarse
            Least step between two codes of `second`, in standard deviations of all of them.
        """
        lengths = second.diagonal().sqrt().clamp(SHORTEST, LONGEST).half()
        own = lengths.double()
        rows, columns = torch.triu_indices(*second.shape, offset=1)
        upper, shares = (second / own / own[:, None])[rows, columns], products / own[:, None]
        steps = torch.stack(
            [
                torch.maximum(_largest(upper) / LEVELS, coarse * _spread(upper)),
                _largest(shares) / LEVELS,
            ]
        ).float()
        steps = steps.clamp_min(torch.finfo(torch.float32).tiny)
        codes = [
            rounded(v, s, levels=LEVELS, rng=rng)
            for v, s in zip((upper, shares), steps, strict=True)
        ]
        return cls(lengths, codes[0], codes[1], steps, torch.tensor([records]))

    def dense(self) -> tuple[Tensor, Tensor]:
        """Return the products of features (d, d), and those with the classes (d, k), float64."""
        d, lengths, steps = len(self.lengths), self.lengths.double(), self.steps.double()
        upper = torch.zeros(d, d, dtype=torch.float64)
        rows, columns = torch.triu_indices(d, d, offset=1)
        upper[rows, columns] = self.second.double() * steps[0]
        second = upper + upper.T + torch.eye(d, dtype=torch.float64)
        return (
            second * lengths[:, None] * lengths,
            self.products.double() * steps[1] * lengths[:, None],
        )


def _largest(values: Tensor) -> Tensor:
    return values.abs().amax() if values.numel() else values.new_zeros(())


def _spread(values: Tensor) -> Tensor:
    return values.std() if values.numel() > 1 else values.new_zeros(())


def regression(parts: Iterable[tuple[float, Sums]]) -> Tensor:
    """Return coefficients (d, k) of ridge regression on all parties' records.

    Parameters
    ----------
    parts
        The sums of each party, and how much they count for.
    """
    second = products = torch.zeros((), dtype=torch.float64)
    total = squares = 0.0
    for weight, sums in parts:
        own_second, own_products = sums.dense()
        second, products = second + weight * own_second, products + weight * own_products
        total += weight
        squares += (weight * float(sums.steps[0])) ** 2
    second, products = second / total, products / total
    # the largest eigenvalue of what rounding adds to products over lengths (Wigner)
    rounding = 2 * (len(second) * squares / 6) ** 0.5 / total
    lengths = second.diagonal().sqrt()
    values, vectors = torch.linalg.eigh(second / lengths / lengths[:, None])
    # no records have an eigenvalue below 0: only rounding makes one
    shifted = values.clamp_min(0) + PENALTY + ROUNDING * rounding
    inverse = vectors / shifted @ vectors.T / lengths / lengths[:, None]
    return inverse @ products
