"""Redistil: the server distils what clients sent into one bounded set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from fdd_flower.config import DistillerConfig
from fdd_flower.data.base import Split
from fdd_flower.device import wide
from fdd_flower.distillers.base import DISTILLERS, Plan
from fdd_flower.mergers._claims import clamped, rebalanced
from fdd_flower.mergers._tree import Rows, bounded, is_cut, together
from fdd_flower.mergers.base import MERGERS, MergeRule
from fdd_flower.schema import Normalisation
from fdd_flower.synthetic_set import SyntheticSet

DISTILLER = "dm"
MOST = torch.finfo(torch.float32).max


@MERGERS.register("redistil")
class Redistil(MergeRule):
    """At most `merger.rows` rows of a class, matched to all rows of it by distribution matching.

    The global synthesis of the field (as in FedLGD, arXiv:2303.02278, which matches gradients
    instead): what the server keeps, trains on and may send down no longer grows with clients. Sets
    are taken in one after another. A class with more than 20 times as many rows as it may keep is
    distilled in pieces of equal size, and then what these gave (`_tree`): memory grows by a step
    only where clients become 20 times as many. Classes within the bound keep their rows.

    A distilled row has the mean target of the rows that lie nearest to it, so that soft labels
    stay, and stands for as many records as they. It came from all of them, and its origin is
    not known. Within a class every row that came counts once: claims only weigh rows, as far as
    `class-balanced` believes them.
    """

    uses: ClassVar[tuple[str, ...]] = ("rows", "steps")
    blends: ClassVar[bool] = True

    def merge(self, parts: Sequence[SyntheticSet], *, rng: torch.Generator) -> SyntheticSet:
        """Return the bounded set, class-balanced; see `Merger.merge`.

        Raises
        ------
        WireError
            If there is no part, or their feature shapes or class counts differ.
        DistillError
            If a loss stops being finite.
        """
        found = bounded(parts, self.cfg.rows, partial(self._reduced, rng=rng))
        return rebalanced(found.set, self._units(found))

    def _units(self, found: Rows) -> Tensor:
        """Return by what claims of rows are compared: of a class split into leaves, by records.

        Its rows may stand for very different numbers, and to bound them would forget some. Where
        a class is distilled once, a row weighs at most ten times the median row.
        """
        labels, units = found.set.labels, found.ages.clone()
        for label in labels.unique():
            rows = labels == label
            if is_cut(float(found.stands[rows].sum()), self.cfg.rows):
                units[rows] *= found.stands[rows].clamp_min(1)
        return units

    def _reduced(self, whole: Rows, rng: torch.Generator) -> Rows:
        """Return the rows with every class that has too many distilled."""
        labels = whole.set.labels
        many = (torch.bincount(labels) > self.cfg.rows)[labels]
        if not many.any():
            return whole
        made = self._distilled(whole.only(many), rng)
        return made if many.all() else together([whole.only(~many), made])

    def _distilled(self, rows: Rows, rng: torch.Generator) -> Rows:
        source = rows.set
        cfg = DistillerConfig(
            name=DISTILLER, ipc=self.cfg.rows, steps=self.cfg.steps, packing=1, min_records=1
        )
        classes = tuple(str(label) for label in range(source.num_classes))
        scale = Normalisation(mean=(0.0,), std=(1.0,))  # rows stay in the model's input space
        plan = Plan(
            round=1,
            seed=int(torch.randint(2**31, (1,), generator=rng)),
            nonce="0" * 16,
            classes=classes,
            feature_shape=source.feature_shape,
            normalisation=scale,
        )
        data = Split(inputs=source.inputs, labels=source.labels, classes=classes)
        made = DISTILLERS.get(DISTILLER)(cfg).distill(data, plan=plan, start=None, rng=rng)
        return _told(made.synthetic, rows)


def _told(made: SyntheticSet, rows: Rows) -> Rows:
    """Return `made` with mean targets and weights of the rows nearest to each of its own."""
    source, labels = rows.set, rows.set.labels
    targets, weights = made.targets.clone(), made.weights.clone()
    stands, ages = torch.zeros_like(weights), wide(torch.ones_like(weights))
    for label in made.labels.unique():
        new = made.labels == label
        # what no row was nearest to has nothing to tell
        old = (labels == label) & (rows.stands > 0)
        each, age, places = rows.stands[old, None], rows.ages[old], new.nonzero()[:, 0]
        nearest = torch.cdist(source.inputs[old].flatten(1), made.inputs[new].flatten(1)).argmin(
            dim=1
        )
        count = _sums(nearest, each, len(places))
        told = _sums(nearest, each * source.targets[old], len(places))
        claims = clamped(source.weights[old], labels[old], each[:, 0] * age)
        # sums of the largest claims are not finite
        claimed, young = (
            _sums(nearest, torch.stack([claims, claims / age], dim=1).float(), len(places))
            .clamp_max(MOST)
            .T
        )
        some = count[:, 0] > 0
        targets[places[some]] = told[some] / count[some]
        # a row that is nearest to none stands for as little as any
        least = claimed.where(some, torch.inf).argmin()
        weights[places] = claimed.where(some, claimed[least])
        left = wide(claimed / young)
        ages[places] = left.where(some, left[least])
        stands[places] = count[:, 0]
    unknown = torch.full_like(made.labels, -1, dtype=torch.int32)
    return Rows(replace(made, targets=targets, weights=weights, origin=unknown), stands, ages)


def _sums(place: Tensor, values: Tensor, number: int) -> Tensor:
    """Return the sums (number, k) of values (n, k) over each place."""
    return values.new_zeros(number, values.shape[1]).index_add_(0, place, values)
