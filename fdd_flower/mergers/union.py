"""Union: all rows of all sets, unchanged."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from fdd_flower.mergers.base import MERGERS, MergeRule
from fdd_flower.synthetic_set import SyntheticSet, concatenate


@MERGERS.register("union")
class Union(MergeRule):
    """Concatenates, weights included: for federations that trust their clients' counts."""

    def merge(self, parts: Sequence[SyntheticSet], *, rng: torch.Generator) -> SyntheticSet:
        """Return the rows of `parts` in order; see `Merger.merge`.

        Raises
        ------
        WireError
            If there is no part, or their feature shapes or class counts differ.
        """
        return concatenate(parts)
