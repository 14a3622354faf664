"""The regression that a Gram matrix gives: how it fits a record, and how the record sways it."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor

from fdd_flower.training.ridge import Gram

RIDGE = 1e-3  # of the mean eigenvalue: less than any that fits well, and exact sums show all


def regression_scores(
    sums: Gram,
    records: tuple[Tensor, Tensor],
    reference: tuple[Tensor, Tensor],
    *,
    count: float,
    noise: float = 0.0,
) -> dict[str, Tensor]:
    """Return two scores, (n,) each; higher is more likely a member.

    `ridge` is how much smaller a record's squared residual is under the regression of the release
    than under that of the reference. `leverage` is how much smaller log f' (G + r)^-1 f is: that
    of a record in G is below 1 however odd the record is, that of another may be any.

    Parameters
    ----------
    sums
        G = sum f f' (d, d) and B = sum f y' (d, k), as far as the release shows them.
    records, reference
        Features (n, d) and labels, int64 (n,); the reference's are of the population.
    count
        Records in `sums`.
    noise
        About the largest eigenvalue that noise adds to G.
    """
    features, labels = records
    classes = sums.products.shape[1]
    others = reference[0].double()
    usual = Gram.of(others, F.one_hot(reference[1], classes).double())
    share = count / len(others)
    usual = Gram(usual.features * share, usual.products * share)
    targets = F.one_hot(labels, classes).double()
    fits = [_fit(each, features.double(), targets, count, noise) for each in (usual, sums)]
    (residual, leverage), (own_residual, own_leverage) = fits
    return {
        "ridge": (residual - own_residual).float(),
        "leverage": (leverage.log() - own_leverage.log()).float(),
    }


def _fit(
    sums: Gram, features: Tensor, targets: Tensor, count: float, noise: float
) -> tuple[Tensor, Tensor]:
    """Return the squared residual and the leverage of each record, (n,) each."""
    size = len(sums.features)
    ridge = RIDGE * float(sums.features.trace()) / min(max(count, 1), size)
    # noise makes eigenvalues negative, by about as much as it adds to the largest
    shift = (ridge + 2 * noise) * torch.eye(size, dtype=torch.float64)
    factor = torch.linalg.cholesky(sums.features + shift)
    fitted = features @ torch.cholesky_solve(sums.products, factor)
    seen = torch.linalg.solve_triangular(factor, features.T, upper=False)
    return (targets - fitted).square().sum(1), seen.square().sum(0).clamp_min(1e-30)
