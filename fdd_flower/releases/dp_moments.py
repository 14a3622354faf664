"""Second moments of public features, class by class: the set is parameters, and rows are draws."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor

from fdd_flower.config import Config
from fdd_flower.device import HOST, on_host
from fdd_flower.distillers.base import Plan
from fdd_flower.models.base import Network
from fdd_flower.models.quadratic import Quadratic
from fdd_flower.models.spectrum import Spectrum
from fdd_flower.releases.base import (
    COUNT,
    RELEASES,
    Learned,
    Release,
    Total,
    in_tiles,
    public_range,
)
from fdd_flower.releases.triangle import UNIT, Triangle
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.teachers import NetworkTeacher, Teacher

# Chosen on held-out training records of Fashion-MNIST (docs/decisions/0010-private-moments.md)
# Of a class's covariance toward the one that all classes share; more where it has more noise
SHRINK = 0.7
ROUNDS = 6  # of the correction of rows that were cut off at the range of inputs
FLOOR = 0.1  # of the eigenvalues, over the largest that noise alone has
LEAST = 0.35  # and over the mean one


class Moments(Release):
    """Per class, the sum of u u', where u is a record's features beside the constant `COUNT`.

    u is rounded to whole numbers first, so that products and sums are exact. The upper triangle of
    u u' is sent. Off the diagonal an entry stands for two of the matrix, and gets noise less by
    the square root of 2: that is the noise of a Gaussian mechanism on the whole matrix, whose
    norm is |u|^2, at most 1. The last entry counts records. The server reads each class's mean
    and covariance off the sum, shrinks the covariances toward their mean (Friedman, "Regularized
    Discriminant Analysis", JASA 1989), lifts eigenvalues that drown in noise, and draws rows from
    the Gaussians.
    """

    uses: ClassVar[tuple[str, ...]] = ("privacy.rows",)

    def __init__(self, cfg: Config, plan: Plan, device: torch.device = HOST) -> None:
        super().__init__(cfg, plan, device)
        self.spectrum = Spectrum(plan.feature_shape).to(device)
        self.width = self.spectrum.size + 1
        self.products = Triangle(self.width)
        self.block = self.products.size

    @property
    def unit(self) -> int:
        """Steps of a norm of 1: those of u, squared."""
        return UNIT

    @property
    def spread(self) -> Tensor:
        """Noise over that of a norm of 1: less off the diagonal, where an entry stands for two."""
        return self.products.spread.repeat(self.classes)

    def vectors(self, inputs: Tensor) -> Tensor:
        """Return u, (n, width): of norm at most 1 by construction."""
        features = in_tiles(self.spectrum, inputs) * (math.sqrt(1 - COUNT**2) / self.spectrum.bound)
        return F.pad(features, (0, 1), value=COUNT)

    def each(self, inputs: Tensor, most: int) -> Tensor:
        """Return the upper triangle of each record's u u', whose norm is |u|^2: 1 / `most`."""
        return self.products.each(self.vectors(inputs), most)

    def whole_sum(self, inputs: Tensor, most: int) -> Tensor:
        """Return the upper triangle of the sum of u u'."""
        return self.products.sum(self.vectors(inputs), most)

    def counts(self, total: Total) -> Tensor:
        """Return the noisy records of each class."""
        return self.blocks(total.values)[:, -1] / COUNT**2

    def count_noise(self, total: Total) -> Tensor:
        """Return the standard deviation of the noise in `counts`."""
        return self.blocks(total.noise)[:, -1] / COUNT**2

    def learn(self, total: Total, *, rng: torch.Generator) -> Gaussians:
        """Return the Gaussian of each class that is there."""
        del rng
        noise, counts = self.blocks(total.noise)[:, -1], self.counts(total)
        there = self.present(total)
        if not bool(there.any()):
            there = counts == counts.max()  # noise alone: anything is as good as another
        size, scale = self.spectrum.size, self.spectrum.bound / math.sqrt(1 - COUNT**2)
        counts = counts.clamp_min(1)
        full = self.products.matrices(self.blocks(total.values))
        means = full[:, :-1, -1] / COUNT / counts[:, None]
        covariances = full[:, :-1, :-1] / counts[:, None, None] - means[:, :, None] * means[:, None]
        means, covariances = means * scale, covariances * scale**2
        shares = counts * there
        portion, relative = shares / shares.sum(), noise / counts
        pooled = torch.einsum("k,kij->ij", portion, covariances)
        means = nearer(means, portion, relative * scale / COUNT * math.sqrt(0.5))
        own = (1 - SHRINK) * (relative[there].min() / relative).clamp(max=1)[:, None, None] ** 2
        values, vectors = torch.linalg.eigh(own * covariances + (1 - own) * pooled)
        # one floor for all: a class that has more noise, and so larger eigenvalues, loses to others
        edge = Triangle.edge(noise[there].max(), size) * scale**2 / (shares.sum() / there.sum())
        values = values.clamp_min(FLOOR * edge + LEAST * pooled.diagonal().mean().clamp_min(1e-6))
        held = there.nonzero()[:, 0]
        return Gaussians(self, held, counts[held], means[held], values[held], vectors[held])


def nearer(means: Tensor, portion: Tensor, noise: Tensor) -> Tensor:
    """Return class means (k, d) nearer to the common mean, in each feature as noise demands.

    What classes differ by is divided by 1 + r, where r is the share of noise in it. James and
    Stein, "Estimation with quadratic loss" (1961), multiply by 1 - r: nearer to the true means, but
    less accurate where many clients have each added their noise.

    Parameters
    ----------
    portion
        (k,): of all records; 0 for a class without.
    noise
        (k,): standard deviation of the noise of each class's means.
    """
    common = portion @ means
    apart = means - common
    found = portion @ apart.square()
    return common + apart * found / (found + portion @ noise.square()).clamp_min(1e-300)


@dataclass(frozen=True)
class Gaussians(Learned):
    """The Gaussian of each class, over the features of `Spectrum`.

    Attributes
    ----------
    held
        The classes that there are records of, (m,).
    counts, means, values, vectors
        Of these: noisy records (m,), means (m, d), eigenvalues (m, d) and eigenvectors (m, d, d)
        of covariances; float64.
    """

    release: Moments
    held: Tensor
    counts: Tensor
    means: Tensor
    values: Tensor
    vectors: Tensor

    def draw(self, rows: int, *, rng: torch.Generator) -> SyntheticSet:
        """Return as many rows of each class, which stand for its noisy count of records."""
        each, plan = -(-rows // len(self.held)), self.release.plan
        noise = torch.randn(len(self.held), each, self.means.shape[1], generator=rng).double()
        drawn = (noise * self.values.sqrt()[:, None]) @ self.vectors.mT + self.means[:, None]
        spectrum = self.release.spectrum
        inputs = self._in_range(drawn.float().to(spectrum.weights.device))
        labels = self.held.repeat_interleave(each)
        return SyntheticSet(
            inputs=inputs.contiguous(),
            targets=F.one_hot(labels, len(plan.classes)).float().to(inputs.device),
            weights=(self.counts / each).float().repeat_interleave(each).to(inputs.device),
            meta={"privacy": "dp-moments"},
            origin=torch.full((len(labels),), -1, dtype=torch.int32, device=inputs.device),
        )

    def _in_range(self, drawn: Tensor) -> Tensor:
        """Return inputs with features `drawn` (m, n, d), within the public range: (m n, ...).

        What lies outside is cut off, which moves the features' means and covariances; so each
        class is led back to its own in turn, by the affine map between two Gaussians, and cut
        off again.
        """
        spectrum, (low, high) = self.release.spectrum, public_range(self.release.plan)
        inputs = spectrum.inputs(drawn.flatten(0, 1))
        low, high = low.to(inputs), high.to(inputs)
        if not bool(low.isfinite().all()) or drawn.shape[1] <= drawn.shape[2]:
            return inputs.clamp(low, high)
        for _ in range(ROUNDS):
            inputs = inputs.clamp(low, high)
            found = on_host(spectrum(inputs)).view(drawn.shape).double()
            led = torch.stack([self._led(one, place) for place, one in enumerate(found)])
            led = led.flatten(0, 1).to(inputs)
            # frequencies that are no features stay as they are
            inputs = inputs + spectrum.inputs(led) - spectrum.inputs(spectrum(inputs))
        return inputs.clamp(low, high)

    def _led(self, found: Tensor, place: int) -> Tensor:
        """Return features (n, d) mapped to the mean and covariance of the class at `place`."""
        mean = found.mean(dim=0)
        values, vectors = torch.linalg.eigh(torch.cov(found.T))
        root = values.clamp_min(1e-9).sqrt()
        half, inverse = (vectors * root) @ vectors.T, (vectors / root) @ vectors.T
        basis, wanted = self.vectors[place], self.values[place]
        values, vectors = torch.linalg.eigh(half @ (basis * wanted) @ basis.T @ half)
        middle = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
        return self.means[place] + (found - mean) @ (inverse @ middle @ inverse)

    def solve(self, model: Network) -> bool:
        """Set the weights of a `quadratic` model: it is the Bayes classifier of these Gaussians."""
        if not isinstance(model, Quadratic):
            return False
        classes, size = len(self.release.plan.classes), self.means.shape[1]
        means = torch.zeros(classes, size, dtype=torch.float64)
        values = torch.ones(classes, size, dtype=torch.float64)
        vectors = torch.eye(size, dtype=torch.float64).repeat(classes, 1, 1)
        means[self.held], values[self.held] = self.means, self.values
        vectors[self.held] = self.vectors
        model.take(means, values, vectors, self.held)
        return True

    def teacher(self) -> Teacher:
        """Return the Bayes classifier of these Gaussians."""
        plan = self.release.plan
        model = Quadratic(self.release.cfg.model, plan.feature_shape, len(plan.classes))
        self.solve(model)
        return NetworkTeacher(model.to(self.release.device).eval())


RELEASES.register("dp-moments")(Moments)
