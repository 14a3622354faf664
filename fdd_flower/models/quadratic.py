"""Quadratic discriminant analysis over the low frequencies of a record."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fdd_flower.config import ModelConfig
from fdd_flower.models.base import MODELS, Network
from fdd_flower.models.spectrum import Spectrum
from fdd_flower.synthetic_set import SyntheticSet

SHRINK = 0.1  # of each class's covariance toward the one that all classes share
FLOOR = 1e-6  # added to its diagonal
NEVER = -1e9  # log-likelihood of a class without records


class Quadratic(Network):
    """Gaussian classes over the features of `Spectrum`, fitted in closed form.

    Friedman, "Regularized Discriminant Analysis" (JASA 1989), with equal priors: a linear layer on
    the features and their products. `width` and `depth` have no effect.
    """

    pairs: Tensor  # (2, size (size + 1) / 2): which features are multiplied

    def __init__(self, cfg: ModelConfig, feature_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        del cfg
        self.spectrum = Spectrum(feature_shape)
        size = self.spectrum.size
        self.register_buffer("pairs", torch.triu_indices(size, size), persistent=False)
        self.head = nn.Linear(size + size * (size + 1) // 2, num_classes)

    @torch.no_grad()
    def fit(self, synthetic: SyntheticSet) -> None:
        """Set the weights by the moments of a set; rows count by weight and by probability.

        A class that the set lacks is never predicted.
        """
        features = self.spectrum(synthetic.inputs).double()
        share = (synthetic.targets * synthetic.weights[:, None]).double()
        count = share.sum(dim=0)
        means = share.T @ features / count.clamp_min(1e-12)[:, None]
        each = []
        for label, mean in enumerate(means):
            centred = features - mean
            each.append(
                (share[:, label, None] * centred).T @ centred / count[label].clamp_min(1e-12)
            )
        covariances = torch.stack(each)
        pooled = (count[:, None, None] * covariances).sum(dim=0) / count.sum()
        floor = FLOOR * torch.eye(len(pooled), dtype=pooled.dtype, device=pooled.device)
        values, vectors = torch.linalg.eigh((1 - SHRINK) * covariances + SHRINK * pooled + floor)
        self.take(means, values, vectors, count.nonzero()[:, 0])

    @torch.no_grad()
    def take(self, means: Tensor, values: Tensor, vectors: Tensor, held: Tensor) -> None:
        """Set the weights from classes' means and from their covariances' eigenvectors.

        Parameters
        ----------
        means, values, vectors
            (k, size), (k, size) and (k, size, size).
        held
            The classes that are ever predicted, at least one.
        """
        means, values, vectors = means.double(), values.double(), vectors.double()
        precision = (vectors / values[:, None, :]) @ vectors.mT
        rows, columns = self.pairs
        square = torch.where(rows == columns, -0.5, -1.0) * precision[:, rows, columns]
        linear = (precision @ means[:, :, None])[:, :, 0]
        offset = -0.5 * (values.log().sum(dim=1) + (linear * means).sum(dim=1))
        never = torch.ones(len(means), dtype=torch.bool, device=means.device)
        never[held] = False
        self.head.weight.copy_(torch.cat([linear, square], dim=1))
        self.head.bias.copy_(offset.masked_fill(never, NEVER))

    def features(self, x: Tensor) -> Tensor:
        """Return the features of `Spectrum`, then their products in pairs."""
        found = self.spectrum(x)
        rows, columns = self.pairs
        return torch.cat([found, found[:, rows] * found[:, columns]], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return log-likelihoods (n, num_classes), up to a constant."""
        return self.head(self.features(x))


MODELS.register("quadratic")(Quadratic)
