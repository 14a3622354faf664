"""Mean logits per class: what FedAF's clients send beside their sets, and their distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor, nn

from fdd_flower.device import on_host, wide, widest
from fdd_flower.synthetic_set import SyntheticSet

# A softmax at temperature 2 of logits this far apart is a hard label many times over.
BOUND = 100.0
TILE = 64  # records that go through the network at once


@dataclass(frozen=True, slots=True)
class ClassLogits:
    """Mean logits of the records of each class.

    Attributes
    ----------
    values
        float32, (k, k), within +-`BOUND`: row c is the mean over the records of class c; zeros
        where nothing is known of the class.
    held
        bool, (k,): the classes of which something is known.
    """

    values: Tensor
    held: Tensor


@torch.no_grad()
def class_logits(
    network: nn.Module, inputs: Tensor, labels: Tensor, *, num_classes: int, least: int
) -> ClassLogits:
    """Return the mean logits of `inputs` (n, *feature_shape) by their `labels` (n,).

    Parameters
    ----------
    least
        Records below which a class is left out: the mean of a few would tell of each.
    """
    network.eval()
    sums = torch.zeros(num_classes, num_classes, dtype=widest(inputs.device), device=inputs.device)
    for tile, classes in zip(inputs.split(TILE), labels.split(TILE), strict=True):
        sums.index_add_(0, classes, wide(network(tile)))
    counts = labels.bincount(minlength=num_classes)
    held = counts >= max(1, least)
    means = (sums / counts.clamp_min(1)[:, None]).clamp(-BOUND, BOUND)
    return ClassLogits((means * held[:, None]).float(), held)


def average(parts: Sequence[ClassLogits]) -> ClassLogits:
    """Return the mean over those of `parts` that know a class, each counting alike."""
    held = torch.stack([part.held for part in parts])
    values = wide(torch.stack([part.values for part in parts])) * held[:, :, None]
    counts = held.sum(dim=0)
    return ClassLogits((values.sum(dim=0) / counts.clamp_min(1)[:, None]).float(), counts > 0)


def unit_directions(dimensions: int, count: int, *, rng: torch.Generator) -> Tensor:
    """Return `count` directions drawn evenly from the sphere: (dimensions, count), on the CPU."""
    return F.normalize(torch.randn(dimensions, count, generator=rng), dim=0)


def sliced_wasserstein(found: Tensor, wanted: Tensor, directions: Tensor) -> Tensor:
    """Return the mean over `directions` (d, p) of the 1-Wasserstein distance of two clouds.

    On a line the distance of two clouds of m points is the mean distance of the points of one rank
    (Rabin et al., SSVM 2011). Of two single points it is their mean distance along a direction.

    Parameters
    ----------
    found, wanted
        (m, d) each.
    """
    along = [(cloud @ directions).sort(dim=0).values for cloud in (found, wanted)]
    return (along[0] - along[1]).abs().mean()


def symmetric_kl(found: Tensor, wanted: Tensor, *, temperature: float) -> Tensor:
    """Return the mean over rows of (KL(p, q) + KL(q, p)) / 2, in nats.

    p and q are the softmax of logits `found` and `wanted`, (m, k) each, over `temperature`.
    """
    p, q = (F.log_softmax(logits / temperature, dim=1) for logits in (found, wanted))
    return ((p.exp() - q.exp()) * (p - q)).sum(dim=1).mean() / 2


class KnowledgeMatching:
    """FedAF's local-global knowledge matching: a term beside the cross-entropy of the server.

    Class by class, mean logits of the model on the merged rows are drawn to those that the clients
    found on their records.

    Parameters
    ----------
    rows
        The merged set.
    wanted
        The clients' logits, averaged.
    weight, temperature
        Of the term; of both softmaxes.
    batch
        Rows that go through the model for it in a step, as many of each class.
    rng
        For the rows that are drawn: nobody else's, so that other draws stay as they are.
    """

    def __init__(
        self,
        rows: SyntheticSet,
        wanted: ClassLogits,
        *,
        weight: float,
        temperature: float,
        batch: int,
        rng: torch.Generator,
    ) -> None:
        self._rows, self._weight, self._temperature, self._rng = rows, weight, temperature, rng
        places = [
            torch.nonzero(rows.labels == label).flatten() for label in range(len(wanted.held))
        ]
        known = [c for c, own in enumerate(places) if len(own) and bool(wanted.held[c])]
        self._places = [places[c] for c in known]
        self._wanted = wanted.values[known]
        self._each = max(1, batch // max(1, len(known)))

    def __call__(self, model: nn.Module) -> Tensor:
        """Return the weighted distance; 0 where no class is known to both sides."""
        if not self._places:
            return torch.zeros(())
        pick = torch.cat([self._draw(own) for own in self._places])
        logits = model(self._rows.inputs[pick]).view(len(self._places), self._each, -1)
        distance = symmetric_kl(logits.mean(dim=1), self._wanted, temperature=self._temperature)
        return self._weight * distance

    def _draw(self, places: Tensor) -> Tensor:
        weights = on_host(self._rows.weights[places])
        drawn = torch.multinomial(weights, self._each, replacement=True, generator=self._rng)
        return places[drawn.to(places.device)]
