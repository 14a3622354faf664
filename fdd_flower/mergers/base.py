"""What a merge rule is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch

from fdd_flower.config import MergerConfig
from fdd_flower.registry import Registry
from fdd_flower.synthetic_set import SyntheticSet


class Merger(Protocol):
    """Joins accepted sets into one; they come by client key, the newest of a client first.

    A class may declare `uses`, the settings under `merger.` that it reads, besides its name: a
    change of any other is then refused before a run.
    """

    def merge(self, parts: Sequence[SyntheticSet], *, rng: torch.Generator) -> SyntheticSet:
        """Return one set made of `parts`; the same parts and `rng` give the same bits.

        Its `origin` says which of `parts` each row came from, in their order, and is below 0 where
        several gave it; a rule that leaves it out gives a merged set whose rows nobody can trace.
        `concatenate` sets it.

        A part may be read from the disk each time it is asked for: who takes them one after
        another never has all of them in memory.
        """
        ...


MERGERS: Registry[Callable[[MergerConfig], Merger]] = Registry("merger", "fdd_flower.mergers")
