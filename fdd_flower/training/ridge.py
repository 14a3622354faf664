"""Ridge regression on features: in dual form for few rows, from summed matrices for many."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fdd_flower.device import wide, widest
from fdd_flower.training.ridge_features import TILE, Features

# A rule and not a search, so that no test record has a say in it. Fixed on held-out training
# records of Fashion-MNIST (10 to 30,000 random ones) and digits: within a point of the best.
PER_ROW, MOST = 5.0, 0.1


@dataclass(frozen=True, slots=True)
class Gram:
    """Sums over records: all that ridge regression needs of them, and they add over clients.

    Attributes
    ----------
    features, products
        G = sum w phi phi', (d, d), and B = sum w phi y', (d, k); float64.
    """

    features: Tensor
    products: Tensor

    @classmethod
    def of(cls, f: Tensor, y: Tensor) -> Gram:
        """Return the sums over records of features `f` (n, d) and targets `y` (n, k), float64."""
        return cls(f.T @ f, f.T @ y)

    def __add__(self, other: Gram) -> Gram:
        return Gram(self.features + other.features, self.products + other.products)

    def __sub__(self, other: Gram) -> Gram:
        return Gram(self.features - other.features, self.products - other.products)


def gram(phi: Features, inputs: Tensor, targets: Tensor, weights: Tensor) -> Gram:
    """Return the sums over records with `targets` (n, k) and `weights` (n,)."""
    g = b = torch.zeros((), dtype=widest(inputs.device), device=inputs.device)
    for x, y, w in zip(inputs.split(TILE), targets.split(TILE), weights.split(TILE), strict=True):
        f = phi(x)
        weighted = (f * w[:, None]).T
        g, b = g + wide(weighted @ f), b + wide(weighted @ y)
    return Gram(g, b)


def penalty(trace: Tensor, rows: int, features: int) -> Tensor:
    """Return the penalty for `rows` records of `features`: a share of the mean eigenvalue.

    The share is 5 / rows, and at most 0.1; the eigenvalues counted are those that can be above 0.
    """
    return min(MOST, PER_ROW / rows) * trace / min(rows, features)


def solve_gram(sums: Gram, rows: int) -> Tensor:
    """Return coefficients (d, k) = (G + penalty I)^-1 B of `rows` summed records."""
    g = sums.features
    shift = penalty(g.trace(), rows, len(g)) * torch.eye(len(g), dtype=g.dtype, device=g.device)
    return torch.linalg.solve(g + shift, sums.products)


def fit_ridge(phi: Features, inputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return ridge coefficients (d, k), float64, of a weighted set.

    Minimises sum_i w_i |y_i - f_i c|^2 + penalty |c|^2, with weights scaled to a mean of 1; of
    few rows by kernel ridge regression on f f', which has the same solution.
    """
    w = weights / weights.mean()
    d = phi(inputs[:1]).shape[1]
    if len(inputs) > d:
        return solve_gram(gram(phi, inputs, targets, w), len(inputs))
    root = wide(w).sqrt()[:, None]
    f, y = root * wide(phi(inputs)), root * wide(targets)
    kernel = f @ f.T
    same = torch.eye(len(f), dtype=f.dtype, device=f.device)
    return f.T @ torch.linalg.solve(kernel + penalty(kernel.trace(), len(f), d) * same, y)


def predict(phi: Features, coefficients: Tensor, inputs: Tensor) -> Tensor:
    """Return the class of each input: int64, (n,)."""
    return scores(phi, coefficients, inputs).argmax(dim=1)


def scores(phi: Features, coefficients: Tensor, inputs: Tensor) -> Tensor:
    """Return what ridge regression predicts of the targets: float64, (n, k)."""
    return torch.cat([wide(phi(tile)) @ coefficients for tile in inputs.split(TILE)])


def sent(sums: Gram) -> dict[str, Tensor]:
    """Return what a client would send of its sums: a triangle and the products, float32."""
    rows, columns = torch.triu_indices(*sums.features.shape, device=sums.features.device)
    return {
        "features": sums.features[rows, columns].float(),
        "products": sums.products.float(),
    }


def received(arrays: dict[str, Tensor]) -> Gram:
    """Return the sums in what `sent` returned."""
    products = wide(arrays["products"])
    d = len(products)
    upper = products.new_zeros(d, d)
    rows, columns = torch.triu_indices(d, d, device=products.device)
    upper[rows, columns] = wide(arrays["features"])
    return Gram(upper + upper.triu(1).T, products)
