"""What a signal reads of a round, and what it says of a client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from fdd_flower.config import ScoringConfig
from fdd_flower.scoring.root import Root
from fdd_flower.synthetic_set import SyntheticSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The sets of one round, embedded once for all signals.

    Attributes
    ----------
    cfg
        Thresholds.
    parts
        Sets by client, in the order of merging.
    embedded
        By client: random features of its rows, float32, (n, d), a constant 1 last.
    root
        The server's own records, in the same features.
    earlier
        By client: random features and labels of the last set that it sent before.
    seed
        Of the draws of this round.
    """

    cfg: ScoringConfig
    parts: Mapping[str, SyntheticSet]
    embedded: Mapping[str, Tensor]
    root: Root
    earlier: Mapping[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
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
        In a few words; empty where it is not suspect.
    """

    value: float | None
    suspect: bool = False
    why: str = ""


Signal = Callable[[Evidence], dict[str, Finding]]
