"""Redistil: the server distils what clients sent into one bounded set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from fdd_flower.config import DistillerConfig, MergerConfig
from fdd_flower.data.base import Normalisation, Split
from fdd_flower.distillers.base import DISTILLERS, Plan
from fdd_flower.mergers._claims import clamped, rebalanced
from fdd_flower.mergers._pick import joined, picked
from fdd_flower.mergers.base import MERGERS
from fdd_flower.synthetic_set import SyntheticSet

FOLD = 20  # times `merger.rows` of a class that are held before they are distilled
DISTILLER = "dm"


@MERGERS.register("redistil")
class Redistil:
    """At most `merger.rows` rows of a class, matched to all rows of it by distribution matching.

    The global synthesis of the field (as in FedLGD, arXiv:2303.02278, which matches gradients
    instead): what the server keeps, trains on and may send down no longer grows with clients. Sets
    are taken in one after another, and whenever a class has 20 times as many rows as it may keep,
    it is distilled; so memory does not grow with clients either. Classes within the bound keep
    their rows as they are.

    A distilled row has the mean target of the rows that lie nearest to it, so that soft labels
    stay, and stands for as many records as they. It came from all of them, and its origin is
    not known. Within a class every row that came counts once: claims only
    weigh rows, as far as `class-balanced` believes them.
    """

    uses: ClassVar[tuple[str, ...]] = ("rows", "steps")

    def __init__(self, cfg: MergerConfig) -> None:
        self.cfg = cfg

    def merge(self, parts: Sequence[SyntheticSet], *, rng: torch.Generator) -> SyntheticSet:
        """Return the bounded set, class-balanced; see `Merger.merge`.

        Raises
        ------
        WireError
            If there is no part, or their feature shapes or class counts differ.
        DistillError
            If a loss stops being finite.
        """
        held: list[SyntheticSet] = []
        counts: Counter[int] = Counter()
        for place, part in enumerate(parts):
            held.append(replace(part, origin=torch.full((len(part),), place, dtype=torch.int32)))
            counts.update(part.labels.tolist())
            if max(counts.values()) > FOLD * self.cfg.rows:
                held = [self._bounded(joined(held), rng)]
                counts = Counter(held[0].labels.tolist())
        return rebalanced(self._bounded(joined(held), rng))

    def _bounded(self, whole: SyntheticSet, rng: torch.Generator) -> SyntheticSet:
        """Return the set with every class that has too many rows distilled."""
        counts = torch.bincount(whole.labels, minlength=whole.num_classes)
        many = (counts > self.cfg.rows)[whole.labels]
        if not many.any():
            return whole
        source = picked(whole, many)
        made = self._distilled(source, rng)
        return joined([picked(whole, ~many), made]) if not many.all() else made

    def _distilled(self, source: SyntheticSet, rng: torch.Generator) -> SyntheticSet:
        cfg = DistillerConfig(
            name=DISTILLER, ipc=self.cfg.rows, steps=self.cfg.steps, packing=1, min_records=1
        )
        classes = tuple(str(label) for label in range(source.num_classes))
        scale = Normalisation(mean=(0.0,), std=(1.0,))  # rows stay in the model's input space
        plan = Plan(
            round=1, seed=int(torch.randint(2**31, (1,), generator=rng)), nonce="0" * 16,
            classes=classes, feature_shape=source.feature_shape, normalisation=scale,
        )  # fmt: skip
        data = Split(inputs=source.inputs, labels=source.labels, classes=classes)
        made = DISTILLERS.get(DISTILLER)(cfg).distill(data, plan=plan, start=None, rng=rng)
        return _told(made.synthetic, source)


def _told(made: SyntheticSet, source: SyntheticSet) -> SyntheticSet:
    """Return `made` with the mean targets, and the weights, of the source rows nearest to each."""
    targets, weights = made.targets.clone(), made.weights.clone()
    for label in made.labels.unique():
        new, old = made.labels == label, source.labels == label
        nearest = torch.cdist(source.inputs[old].flatten(1), made.inputs[new].flatten(1)).argmin(
            dim=1
        )
        told, count = _sums(nearest, source.targets[old], int(new.sum()))
        claims = clamped(source.weights[old], source.labels[old]).float()
        claimed, _ = _sums(nearest, claims[:, None], len(count))
        some = count > 0
        places = new.nonzero()[:, 0]
        targets[places[some]] = told[some] / count[some, None]
        # a row that is nearest to none stands for as little as any
        weights[places] = claimed[:, 0].where(some, claimed[some, 0].min())
    unknown = torch.full((len(made),), -1, dtype=torch.int32)
    return replace(made, targets=targets, weights=weights, origin=unknown)


def _sums(place: Tensor, values: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """Return the sums (number, k) of values (n, k) over each place, and how many there are."""
    sums = torch.zeros(number, values.shape[1]).index_add_(0, place, values)
    return sums, torch.bincount(place, minlength=number)
