"""Ridge regression on few rows, scored on many records that enter through two sums alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from fdd_flower.device import wide
from fdd_flower.distillers.parts.views import View
from fdd_flower.rng import stream

WIDEST = 2048  # features kept; a sum of outer products then takes 16 MiB


@dataclass(frozen=True, slots=True)
class Sums:
    """Weighted sums over records of features f (d,) and targets t (k,)."""

    gram: Tensor  # (d, d): of f f'
    moment: Tensor  # (d, k): of f t'
    energy: Tensor  # (): of t't

    def loss(self, support: Tensor, targets: Tensor, penalty: float) -> Tensor:
        """Return the weighted squared residual of ridge regression on `support`.

        With V = S' (S S' + penalty)^-1 Y, records are predicted as F V, and
        |F V - T|^2 = tr(V' G V) - 2 tr(V' B) + |T|^2: the cost does not grow with the records.

        Parameters
        ----------
        support
            Features S (n, d).
        targets
            Y (n, k), centred as those of the records.
        penalty
            Relative to the mean eigenvalue of S S'.
        """
        precise = wide(support)
        kernel = precise @ precise.T
        same = torch.eye(len(kernel), dtype=kernel.dtype, device=kernel.device)
        ridge = penalty * kernel.trace() / len(kernel) * same
        solution = precise.T @ torch.linalg.solve(kernel + ridge, wide(targets))
        fitted = (solution.float() * (self.gram @ solution.float())).sum()
        return fitted - 2 * (solution.float() * self.moment).sum() + self.energy


@torch.no_grad()
def sums_of(batches: Iterable[tuple[Tensor, Tensor, Tensor]]) -> Sums:
    """Return the sums over batches of features (n, d), targets (n, k) and weights (n,)."""
    gram = moment = energy = torch.zeros(())
    for features, targets, weights in batches:
        weighted = features * weights[:, None]
        gram = gram + weighted.T @ features
        moment = moment + weighted.T @ targets
        energy = wide(energy.to(gram.device)) + wide(weights @ targets.square().sum(dim=1))
    return Sums(gram.float(), moment.float(), energy.float())


def features(view: View, inputs: Tensor) -> Tensor:
    """Return features (n, d) with a last one of 1, which stands for the intercept.

    Wider ones are projected to `WIDEST` fixed random directions (Johnson and Lindenstrauss).
    """
    found = view.embed(inputs)
    width = found.shape[1]
    if width > WIDEST:
        draw = torch.randn(width, WIDEST, generator=stream(width, "projection"))
        found = found @ (draw / WIDEST**0.5).to(found.device)
    return torch.cat([found, found.new_ones(len(found), 1)], dim=1)


def centred(targets: Tensor) -> Tensor:
    """Return class probabilities (n, k) less 1 / k, so that ridge shrinks to no class."""
    return targets - 1 / targets.shape[1]
