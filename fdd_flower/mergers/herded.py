"""Herded: a bounded number of rows per class, picked so that their mean follows that of all."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import torch

from fdd_flower.distillers.parts.herd import herd
from fdd_flower.mergers._claims import ages, rebalanced
from fdd_flower.mergers._tree import Rows, bounded
from fdd_flower.mergers.base import MERGERS, MergeRule
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.ridge_features import draw_features

WIDTH = 16  # 256 features


@MERGERS.register("herded")
class Herded(MergeRule):
    """`class-balanced` with at most `merger.rows` rows of a class: the merged set stays bounded.

    Rows are picked by herding (Welling, ICML 2009), in random features of one network that the
    run's seed draws: the mean of those picked stays near that of all rows of the class, whoever
    sent them. Every row counts once: claims weigh only what was picked. Of a class with more than
    20 times as many rows as it may keep, rows are picked from pieces of equal size, and then from
    those (`_tree`), so that what is in memory stays bounded too.
    """

    uses: ClassVar[tuple[str, ...]] = ("rows",)

    def merge(self, parts: Sequence[SyntheticSet], *, rng: torch.Generator) -> SyntheticSet:
        """Return the picked rows, in the order in which they came; see `Merger.merge`.

        Those of classes that were split into pieces come last.

        Raises
        ------
        WireError
            If there is no part, or their feature shapes or class counts differ.
        """
        seed = int(torch.randint(2**31, (1,), generator=rng))
        found = bounded(parts, self.cfg.rows, partial(self._picked, seed=seed)).set
        return rebalanced(found, ages(parts, found.origin))

    def _picked(self, rows: Rows, seed: int) -> Rows:
        device = rows.set.inputs.device
        phi = draw_features(rows.set.feature_shape, width=WIDTH, seed=seed, device=device)
        kept = torch.zeros_like(rows.set.labels, dtype=torch.bool)
        for label in rows.set.labels.unique():
            places = (rows.set.labels == label).nonzero()[:, 0]
            kept[places[herd(phi(rows.set.inputs[places]), self.cfg.rows)]] = True
        return rows.only(kept)
