"""What a signal reads of a round, and what it says of a client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

from torch import Tensor

from fdd_flower.scoring.root import Root
from fdd_flower.synthetic_set import SyntheticSet


@dataclass(frozen=True, slots=True)
class Embedded:
    """What signals read of a set; its inputs need not stay in memory.

    Attributes
    ----------
    features
        Random features of its rows, float32, (n, d), a constant 1 last.
    targets
        float32, (n, k).
    """

    features: Tensor
    targets: Tensor

    @classmethod
    def of(cls, part: SyntheticSet, root: Root) -> Self:
        """Return a set, from any device, in the features of `root`, beside it."""
        device = root.features.device
        return cls(root.phi(part.inputs.to(device)), part.targets.to(device))

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def labels(self) -> Tensor:
        """The most probable class of each row: int64, (n,)."""
        return self.targets.argmax(dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The sets of one round, embedded once for all signals.

    Attributes
    ----------
    parts
        Sets by client, in the order of merging.
    root
        The server's own records, in the same features.
    earlier
        By client: the last set that it sent before.
    seed
        Of the draws of this round.
    """

    parts: Mapping[str, Embedded]
    root: Root
    earlier: Mapping[str, Embedded] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one signal says of one client's set.

    Attributes
    ----------
    value
        In the signal's unit; None where there is nothing to measure it by.
    suspect
        Whether it is beyond the signal's threshold.
    why
        In a few words; empty where nothing speaks against the set.
    chance
        At most: of an honest set being as far off. 1 where the signal gives no such bound.
    beside
        The set that it is compared with, where that is one other set.
    """

    value: float | None
    suspect: bool = False
    why: str = ""
    chance: float = 1.0
    beside: Embedded | None = None


Signal = Callable[[Evidence], dict[str, Finding]]
