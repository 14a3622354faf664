"""Ridge regression on one release: sums of random features and of their products."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from fdd_flower.config import Config
from fdd_flower.device import HOST, on_host
from fdd_flower.distillers.base import Plan
from fdd_flower.models.base import Network
from fdd_flower.models.random_features import RandomFeatures
from fdd_flower.privacy.mechanism import whole
from fdd_flower.releases.base import COUNT, RELEASES, Total
from fdd_flower.releases.matched import ROOM, Matched, Rows
from fdd_flower.releases.triangle import STEPS, UNIT, Triangle
from fdd_flower.rng import derive
from fdd_flower.training.ridge import penalty
from fdd_flower.training.ridge_features import draw_features
from fdd_flower.training.teachers import RidgeTeacher, readout

# How a record's norm of 1 is shared by products and by sums of classes: squares sum up to 1
PRODUCTS, SUMS = 0.8, 0.6
REACH = 2.0  # of the norm of features, over that of public noise: longer ones are clipped
SHIFT = 0.15  # penalty beside the usual one, over the largest eigenvalue that noise alone has


class Gram(Matched):
    """Sums of u by class and of u u' over all, of random features u beside the constant `COUNT`.

    u is rounded to whole numbers first, of norm at most `STEPS`. What a record adds are the upper
    triangle of u u', and `STEPS` u in its class's block. In units of `STEPS`^2 the first has a
    norm of at most 1 where an entry off the diagonal counts twice, and so has the second. Noise
    of standard deviation s / `PRODUCTS` on the diagonal, s / (sqrt(2) `PRODUCTS`) off it and
    s / `SUMS` on the sums then makes the squares of change over noise add up to at most
    (`PRODUCTS`^2 + `SUMS`^2) / s^2 = 1 / s^2: one Gaussian mechanism.

    Features are those of the model `random-features`, less their mean over public noise, clipped
    to `REACH` times their norm there. The server solves ridge regression from the sums, and
    matches rows to the class means, which that regression labels.
    """

    uses: ClassVar[tuple[str, ...]] = (*Matched.uses, "sketch.width")

    def __init__(self, cfg: Config, plan: Plan, device: torch.device = HOST) -> None:
        super().__init__(cfg, plan, device)
        seed = derive(plan.seed, "release")
        self.phi = draw_features(
            plan.feature_shape, width=cfg.sketch.width, seed=seed, device=device
        )
        found = self.phi(self.public_noise())[:, :-1]
        self.centre = found.mean(dim=0)
        self.bound = REACH * float((found - self.centre).norm(dim=1).mean())
        self.block = len(self.centre) + 1
        self.products = Triangle(self.block)
        self.shared = self.products.size

    @property
    def seeds(self) -> int:
        """Random networks that records are shown to."""
        return 1

    @property
    def unit(self) -> int:
        """Steps of a norm of 1: those of u, squared."""
        return UNIT

    @property
    def spread(self) -> Tensor:
        """Noise over that of a norm of 1: see the class."""
        products = self.products.spread / PRODUCTS
        return torch.cat([products.new_full((self.classes * self.block,), 1 / SUMS), products])

    @property
    def at_once(self) -> int:
        """Records whose vectors are held at once: products of theirs are summed at once."""
        return 1024

    def pieces(self, inputs: Tensor) -> Iterator[Tensor]:
        """Yield centred features over their bound, clipped to a norm of 1."""
        found = (self.phi.network.features(inputs) - self.centre) / self.bound
        yield found / found.norm(dim=1, keepdim=True).clamp_min(1)

    def each(self, inputs: Tensor, most: int) -> Tensor:
        """Return `STEPS` u and the upper triangle of u u' of each record, each 1 / `most`."""
        vectors = self.vectors(inputs)
        sums = on_host(whole(vectors, STEPS, parts=most**2)) * STEPS
        return torch.cat([sums, self.products.each(vectors, most)], dim=1)

    def whole_sum(self, inputs: Tensor, most: int) -> Tensor:
        """Return the sum of `STEPS` u and the upper triangle of that of u u', each 1 / `most`."""
        vectors = self.vectors(inputs)
        sums = on_host(whole(vectors, STEPS, parts=most**2).sum(dim=0)) * STEPS
        return torch.cat([sums, self.products.sum(vectors, most)])

    def learn(self, total: Total, *, rng: torch.Generator) -> Solved:
        """Return ridge regression from the sums, and rows that it labels."""
        teacher = RidgeTeacher(self.phi, self.coefficients(total).to(self.device))
        rows = self.rows(total, rng=rng)
        return Solved(replace(rows, targets=teacher(rows.inputs)), teacher)

    def coefficients(self, total: Total) -> Tensor:
        """Return ridge coefficients (d + 1, k) on the features of `phi`, the constant 1 last.

        Eigenvalues of the products that noise made negative are set to 0, and what noise alone
        would give is a share of the penalty.
        """
        sums, counts = self.blocks(total.values), self.counts(total)
        held = self.held(total)
        chosen = torch.zeros(self.classes, 1, dtype=torch.float64)
        chosen[held] = 1
        products = self.products.matrices(total.values[self.classes * self.block :])
        values, vectors = torch.linalg.eigh(products)
        values = values.clamp_min(0)
        edge = Triangle.edge(total.noise[-1], self.block)
        records = max(1, round(float(counts[held].sum())))
        values = values + penalty(values.sum(), records, self.block) + SHIFT * edge
        found = vectors @ ((vectors.T @ (sums * chosen).T) / values[:, None])
        weights = found[:-1] * (ROOM / self.bound)
        constant = found[-1:] * COUNT - on_host(self.centre).double() @ weights
        return torch.cat([weights, constant])


@dataclass(frozen=True)
class Solved(Rows):
    """Rows, and the ridge regression that labelled them."""

    ridge: RidgeTeacher

    def teacher(self) -> RidgeTeacher:
        """Return the ridge regression that the sums give."""
        return self.ridge

    def solve(self, model: Network) -> bool:
        """Set the weights of a model `random-features` of the width of the sums."""
        if not isinstance(model, RandomFeatures):
            return False
        if model.weight.shape != self.ridge.phi.network.get_buffer("weight").shape:
            return False
        model.load_state_dict(model.state_dict() | readout(self.ridge))
        return True


RELEASES.register("dp-sketch")(Gram)
