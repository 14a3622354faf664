"""What a merge rule is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, overload

import torch
from torch import Tensor

from fdd_flower.config import MergerConfig
from fdd_flower.registry import Registry
from fdd_flower.synthetic_set import SyntheticSet


class Merger(Protocol):
    """Joins accepted sets into one; they come by client key, the newest of a client first.

    A class may declare `uses`, the settings under `merger.` that it reads, besides its name: a
    change of any other is then refused before a run. One that declares `blends` makes rows of
    which none is of one client: where clients work beside the rows of others, all get the same.
    """

    def merge(self, parts: Sequence[SyntheticSet], *, rng: torch.Generator) -> SyntheticSet:
        """Return one set made of `parts`; the same parts and `rng` give the same bits.

        Its `origin` says which of `parts` each row came from, in their order, and is below 0 where
        several gave it; a rule that leaves it out gives a merged set whose rows nobody can trace.
        `concatenate` sets it.

        A part may be read from the disk each time it is asked for: who takes them one after
        another never has all of them in memory. The result is on the device of the parts.
        """
        ...


class MergeRule:
    """Base of the rules that ship: which settings one reads, and these."""

    uses: ClassVar[tuple[str, ...]] = ()

    def __init__(self, cfg: MergerConfig) -> None:
        self.cfg = cfg


@dataclass(frozen=True, slots=True)
class AgedSets(Sequence[SyntheticSet]):
    """Parts of which some are older than others.

    Their weights are what clients claim, less by age. A rule that bounds claims looks at them
    without `factors`, for these are the server's own; to any other rule they are parts as all are.

    Attributes
    ----------
    factors
        One a part: what its age left of its weights, above 0 and up to 1.
    """

    parts: Sequence[SyntheticSet]
    factors: Sequence[float]

    @property
    def labels(self) -> Sequence[Tensor] | None:
        """Of the rows of each part, where they are known; see `LazySets`."""
        return getattr(self.parts, "labels", None)

    def __len__(self) -> int:
        return len(self.parts)

    @overload
    def __getitem__(self, at: int) -> SyntheticSet: ...
    @overload
    def __getitem__(self, at: slice) -> AgedSets: ...
    def __getitem__(self, at: int | slice) -> SyntheticSet | AgedSets:
        if isinstance(at, slice):
            return AgedSets(self.parts[at], self.factors[at])
        return self.parts[at]


MERGERS: Registry[Callable[[MergerConfig], Merger]] = Registry(
    "merger", "fdd_flower.mergers", helpers=("prior",)
)
