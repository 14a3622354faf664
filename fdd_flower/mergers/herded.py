"""Herded: of each class the rows whose mean follows that of all, up to a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch

from fdd_flower.config import MergerConfig
from fdd_flower.herd import herd
from fdd_flower.mergers._claims import rebalanced
from fdd_flower.mergers._pick import picked
from fdd_flower.mergers.base import MERGERS
from fdd_flower.ridge.features import draw_features
from fdd_flower.synthetic_set import SyntheticSet, concatenate

WIDTH = 16  # 256 features


@MERGERS.register("herded")
class Herded:
    """`class-balanced` with at most `merger.rows` rows of a class: the merged set stays bounded.

    Rows are picked by herding (Welling, ICML 2009), in random features of one network that the
    run's seed draws: the mean of those picked stays near that of all rows of the class, whoever
    sent them. Every row counts once: claims weigh only what was picked.
    """

    uses: ClassVar[tuple[str, ...]] = ("rows",)

    def __init__(self, cfg: MergerConfig) -> None:
        self.cfg = cfg

    def merge(self, parts: Sequence[SyntheticSet], *, rng: torch.Generator) -> SyntheticSet:
        """Return the picked rows, in the order in which they came; see `Merger.merge`.

        Raises
        ------
        WireError
            If there is no part, or their feature shapes or class counts differ.
        """
        whole = concatenate(parts)
        seed = int(torch.randint(2**31, (1,), generator=rng))
        phi = draw_features(whole.feature_shape, width=WIDTH, seed=seed)
        kept = torch.zeros(len(whole), dtype=torch.bool)
        for label in whole.labels.unique():
            places = (whole.labels == label).nonzero()[:, 0]
            kept[places[herd(phi(whole.inputs[places]), self.cfg.rows)]] = True
        return rebalanced(picked(whole, kept))
