"""Union: all rows of all sets, unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch

from fdd_flower.config import MergerConfig
from fdd_flower.mergers.base import MERGERS
from fdd_flower.synthetic_set import SyntheticSet, concatenate


@MERGERS.register("union")
class Union:
    """Concatenates, weights included: for federations that trust their clients' counts."""

    uses: ClassVar[tuple[str, ...]] = ()

    def __init__(self, cfg: MergerConfig) -> None:
        self.cfg = cfg

    def merge(self, parts: Sequence[SyntheticSet], *, rng: torch.Generator) -> SyntheticSet:
        """Return the rows of `parts` in order; see `Merger.merge`.

        Raises
        ------
        WireError
            If there is no part, or their feature shapes or class counts differ.
        """
        return concatenate(parts)
