"""A released synthetic set, and how a member's record differs beside it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor

from fdd_flower.audit.distances import nearest
from fdd_flower.audit.protocol import Known
from fdd_flower.audit.released.base import of_class, reduced
from fdd_flower.audit.sums.regression import regression_scores
from fdd_flower.config import TrainingConfig
from fdd_flower.data.base import Split
from fdd_flower.distillers.parts.views import View, embed, random_views
from fdd_flower.models import build_model
from fdd_flower.models.base import Network
from fdd_flower.rng import stream
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.loop import train_on
from fdd_flower.training.ridge import gram
from fdd_flower.training.ridge_features import Features, draw_features

STEPS = 300  # of the model that the attacker trains on the rows
WIDTH = 16  # of the random features of a regression: 257 of them
PLAIN = TrainingConfig(
    steps=STEPS, batch_size=64, augment=False, mixup=0.0, cutmix=0.0, noise=0.0, teacher=0.0
)


@dataclass(slots=True)
class Rows:
    """A synthetic set that left a client."""

    rows: SyntheticSet | None
    known: Known
    by_class: bool = True
    noise: float = 0.0
    _views: list[View] = field(default_factory=list)

    def vectors(self, records: Split) -> Tensor:
        """Return the pixels, and the features under the public networks, (n, d)."""
        seen = self._kept_features(records.inputs)
        return torch.cat([records.inputs.flatten(1), seen], dim=1)

    def observed(self) -> Tensor:
        """Return the number of records of a class times the mean of its rows, (k, d)."""
        part = self.part
        mass = of_class(part.weights[:, None], part.labels, part.num_classes)
        counts = torch.bincount(part.labels, minlength=part.num_classes)[:, None]
        vectors = torch.cat([part.inputs.flatten(1), self._features(part.inputs)], dim=1)
        return of_class(vectors, part.labels, part.num_classes) * mass * counts

    def scores(self, records: Split, *, learned: bool = True) -> dict[str, Tensor]:
        """Return nearness, what ridge regression on the rows tells, and what a model learned."""
        part, known = self.part, self.known
        apart, _ = nearest(records.inputs, records.labels, part.inputs, part.labels)
        usual = known.once("usual", records.inputs, lambda: _to_reference(records, known))
        seen, rows = self._kept_features(records.inputs), self._features(part.inputs)
        embedded, _ = nearest(seen, records.labels, rows, part.labels)
        found = {
            "nearest": -apart,
            "nearest-calibrated": usual - apart,
            "nearest-embedding": -embedded,
            **self._regression(records),
        }
        if learned:
            before = known.once(
                "losses",
                records.inputs,
                lambda: _losses(self._model(_as_set(known.reference)), records),
            )
            found["loss"] = before - _losses(self._model(part), records)
        return found

    def _regression(self, records: Split) -> dict[str, Tensor]:
        known, part = self.known, self.part
        phi = draw_features(part.feature_shape, width=WIDTH, seed=known.plan.seed)
        return regression_scores(
            gram(phi, part.inputs, part.targets, part.weights),
            *((_phi(phi, each, known), each.labels) for each in (records, known.reference)),
            count=float(part.weights.sum()),
        )

    def embedded(self, records: Split) -> Split:
        """Return records with their features under the public networks as inputs."""
        return replace(records, inputs=self._kept_features(records.inputs))

    def embedded_rows(self) -> SyntheticSet:
        """Return the rows with their features as inputs."""
        return replace(self.part, inputs=self._features(self.part.inputs))

    @property
    def part(self) -> SyntheticSet:
        """The rows, which are there."""
        assert self.rows is not None
        return self.rows

    def _kept_features(self, inputs: Tensor) -> Tensor:
        return self.known.once("features", inputs, lambda: self._features(inputs))

    def _features(self, inputs: Tensor) -> Tensor:
        if not self._views:
            self._views = random_views(self.known.cfg.distiller, self.known.plan)
        found = [embed(view, inputs) for view in self._views]
        return torch.cat([reduced(f, 256) for f in found], dim=1)

    def _model(self, part: SyntheticSet) -> Network:
        model = build_model(
            self.known.cfg.model,
            feature_shape=part.feature_shape,
            num_classes=part.num_classes,
            seed=self.known.plan.seed,
        )
        train_on(part, model, PLAIN, rng=stream(self.known.plan.seed, "attacker"))
        return model


def _phi(phi: Features, records: Split, known: Known) -> Tensor:
    return known.once("phi", records.inputs, lambda: phi(records.inputs))


def _to_reference(records: Split, known: Known) -> Tensor:
    reference = known.reference
    return nearest(records.inputs, records.labels, reference.inputs, reference.labels)[0]


def _as_set(records: Split) -> SyntheticSet:
    targets = F.one_hot(records.labels, len(records.classes)).float()
    return SyntheticSet(inputs=records.inputs, targets=targets, weights=torch.ones(len(records)))


@torch.no_grad()
def _losses(model: Network, records: Split) -> Tensor:
    """Return the cross-entropy of each record, (n,)."""
    model.eval()
    logits = torch.cat([model(batch) for batch in records.inputs.split(256)])
    return F.cross_entropy(logits, records.labels, reduction="none")


def mixed_with(part: SyntheticSet, records: Split, share: float, *, seed: int) -> SyntheticSet:
    """Return `part` with a share of its rows replaced by records of the same class, as they are.

    A mistake on purpose: what an audit of copies must find.
    """
    rng = stream(seed, "mixed")
    inputs = part.inputs.clone()
    places = torch.randperm(len(part), generator=rng)[: max(1, round(share * len(part)))]
    for place in places.tolist():
        own = torch.nonzero(records.labels == part.labels[place]).flatten()
        inputs[place] = records.inputs[own[torch.randint(len(own), (), generator=rng)]]
    return replace(part, inputs=inputs)
