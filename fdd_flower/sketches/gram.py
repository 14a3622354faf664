"""Gram: sums of random features and of their products, all that ridge regression needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor

from fdd_flower.config import DistillerConfig, SketchConfig
from fdd_flower.device import HOST, moved, on_host, widest
from fdd_flower.distillers.base import Plan
from fdd_flower.distillers.objectives.ridge import Sums, centred
from fdd_flower.distillers.parts.canvas import Canvas
from fdd_flower.rng import derive
from fdd_flower.sketches import _scatter
from fdd_flower.sketches.base import COUNTS, KINDS, Arrays, Kind, Sketch
from fdd_flower.sketches.integers import (
    LIMIT,
    ONE,
    WIDEST,
    check_planes,
    from_planes,
    whole,
)
from fdd_flower.training.ridge import Gram, solve_gram
from fdd_flower.training.ridge_features import Features, draw_features
from fdd_flower.training.teachers import RidgeTeacher
from fdd_flower.wire.arrays import require
from fdd_flower.wire.refusals import Code

MEANS, PRODUCTS = "means", "products"
# How far below 0 an eigenvalue of what lies within the classes may be, over its largest diagonal.
# Rounding to 15 bits makes 2 sqrt(d) / (sqrt(12) 16383) of it: 0.0032 at 8,192 features.
NEGATIVE = 0.01


class GramSums(Kind):
    """Sums of phi y' and phi phi' of public random features phi, those of `random-features`.

    Ridge regression on phi sees records through these sums and their number alone, so that the
    total gives the model that all records in one place would give: the one-shot summed-Gram line
    of the field (as in Fed3R, ICML 2024), a rounding of features to 1/256 apart.

    Rows are matched to the total in two ways: by the mean features of each class, and by how
    well ridge regression on the rows fits all records (KIP, arXiv:2011.00050; differs: the
    kernel is that of the features that were summed).

    The products travel in 15 bits each (`_scatter`), but as they are under a secure sum: there only
    whole numbers add.

    Attributes
    ----------
    phi
        The features, a constant 1 last.
    """

    uses: ClassVar[tuple[str, ...]] = ("sketch.width", "distiller.ridge")

    def __init__(
        self,
        cfg: SketchConfig,
        distiller: DistillerConfig,
        plan: Plan,
        device: torch.device = HOST,
    ) -> None:
        super().__init__(cfg, distiller, plan, device)
        seed = derive(plan.seed, "sketch", plan.round)
        self.phi = draw_features(plan.feature_shape, width=cfg.width, seed=seed, device=device)
        self.size = self.phi(torch.zeros(1, *plan.feature_shape, device=device)).shape[1] - 1
        self._last: tuple[Sketch, Sums] | None = None

    @property
    def exact(self) -> bool:
        """Whether products travel as they are: under masks only whole numbers add."""
        return self.cfg.secure_sum

    def own_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the sums of features, one per class, and of their products, an upper triangle."""
        return {MEANS: (self.classes, self.size), PRODUCTS: (self.size * (self.size + 1) // 2,)}

    def terms(self, inputs: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield features in steps of 1 / ONE, and the sums of their products."""
        found = whole(self.phi(inputs)[:, :-1])
        yield MEANS, found
        rows, columns = torch.triu_indices(self.size, self.size, device=found.device)
        yield PRODUCTS, (found.T @ found)[rows, columns]

    def check(self, sketch: Sketch) -> None:
        """Hold the products against the means: what is within the classes has no negative part.

        Raises
        ------
        RefusedError
            If it has, or a product is larger than any.
        """
        products = sketch.sums[PRODUCTS]
        self.check_range(PRODUCTS, products, torch.tensor(sketch.records * LIMIT**2))
        within = self.within(sketch)
        largest = within.diagonal().max().clamp_min(1) + ONE
        shift = NEGATIVE * largest * torch.eye(self.size, dtype=torch.float64)
        _, wrong = torch.linalg.cholesky_ex(within + shift)
        require(
            not int(wrong),
            PRODUCTS,
            "sums of products of features with these means",
            "no such ones",
            Code.RANGE,
        )

    def within(self, sketch: Sketch) -> Tensor:
        """Return the sum over records of the products of features less their class means."""
        return self._full(sketch.sums[PRODUCTS]) - self._between(sketch)

    def _full(self, triangle: Tensor) -> Tensor:
        device = triangle.device
        full = torch.zeros(self.size, self.size, dtype=torch.float64, device=device)
        rows, columns = torch.triu_indices(self.size, self.size, device=device)
        full[rows, columns] = triangle.double()
        return full + full.triu(1).T

    def _between(self, sketch: Sketch) -> Tensor:
        held = self.held(sketch)
        each = sketch.sums[MEANS][held].double() / sketch.counts[held, None].double().sqrt()
        return each.T @ each

    def encode(self, sketch: Sketch) -> dict[str, np.ndarray]:
        """Return a sketch as arrays; its products by `_scatter.pack` unless they are exact."""
        sketch = on_host(sketch)
        arrays = super().encode(sketch)
        if not self.exact:
            del arrays[PRODUCTS]
            arrays |= _scatter.pack(self.within(sketch))
        return arrays

    def decode(self, arrays: Arrays) -> Sketch:
        """Return the sketch in what `encode` returned; see `Kind.decode`."""
        if self.exact:
            return super().decode(arrays)
        shapes = {name: shape for name, shape in self.shapes.items() if name != PRODUCTS}
        packed = {_scatter.MAIN, _scatter.SCALE, _scatter.REST}
        self.check_names(arrays, {COUNTS, *shapes, *packed})
        counts = self.read_counts(arrays)
        for name, shape in shapes.items():
            check_planes(name, arrays[name], shape)
        _scatter.check(
            {name: arrays[name] for name in packed}, self.size, int(counts.sum()) * LIMIT**2
        )
        sums = {name: from_planes(arrays[name], shape) for name, shape in shapes.items()}
        within = _scatter.unpack({name: arrays[name] for name in packed}, self.size)
        rows, columns = torch.triu_indices(self.size, self.size)
        full = within + self._between(Sketch(counts, sums))
        sums[PRODUCTS] = full[rows, columns].round().to(torch.int64)
        return self.checked(counts, sums)

    def max_bytes(self) -> int:
        """Return the most bytes that the arrays of a sketch take."""
        if self.exact:
            return super().max_bytes()
        triangle = -(-self.size * (self.size + 1) // 2 // 8)
        return super().max_bytes() - WIDEST * triangle + _scatter.size(self.size)

    def gram(self, total: Sketch) -> Gram:
        """Return the sums that ridge regression takes, the constant last: float64."""
        full = self._full(total.sums[PRODUCTS])
        products = full.new_empty(self.size + 1, self.size + 1)
        products[:-1, :-1] = full / ONE**2
        each = torch.cat([total.sums[MEANS].double() / ONE, total.counts[:, None].double()], dim=1)
        products[-1] = products[:, -1] = each.sum(dim=0)
        return Gram(products, each.T.contiguous())

    def teacher(self, total: Sketch) -> RidgeTeacher:
        """Return ridge regression on all records, solved from the sums."""
        found = solve_gram(self.gram(total), total.records)
        return RidgeTeacher(self.phi, found.to(self.device, widest(self.device)))

    def losses(self, total: Sketch, canvas: Canvas, step: int) -> Iterable[Tensor]:
        """Yield how far off class means are, and how ridge regression on the rows fits records."""
        sums = self._sums(total)
        parts, labels = range(len(canvas.sizes)), torch.tensor(canvas.labels)
        targets = centred(F.one_hot(canvas.targets(), self.classes).float())
        rows = torch.cat([features(self.phi, canvas.show(part)) for part in parts])
        means = torch.stack([part.mean(dim=0) for part in rows.split(canvas.sizes)])
        wanted = torch.stack([self.means(total, MEANS, int(label)) for label in labels])
        spread = wanted.var(dim=0, unbiased=False).sum().clamp_min(1e-12)
        yield (means[:, :-1] - wanted).square().sum() / spread + sums.loss(
            rows, targets, self.distiller.ridge
        ) / sums.energy

    def _sums(self, total: Sketch) -> Sums:
        if self._last is None or self._last[0] is not total:
            gram = self.gram(total)
            shares = centred(torch.eye(self.classes, device=self.sums_device)).double()
            moment = gram.products @ shares
            energy = (total.counts * shares.square().sum(dim=1)).sum()
            found = Sums(gram.features.float(), moment.float(), energy.float())
            self._last = total, moved(found, self.device)
        return self._last[1]


KINDS.register("gram")(GramSums)


def features(phi: Features, inputs: Tensor) -> Tensor:
    """Return the features of `phi`, through which gradients flow."""
    return torch.cat([phi.network.features(inputs), inputs.new_ones(len(inputs), 1)], dim=1)
