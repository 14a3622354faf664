"""Which records are in and which are not, by fair coins, and what an attacker knows beside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from fdd_flower.config import Config
from fdd_flower.data.base import Split, refuse
from fdd_flower.distillers.base import Plan
from fdd_flower.rng import numpy_stream, stream

NATURAL, MISLABELLED, OUTLIER = "natural", "mislabelled", "outlier"
ODD = 0.1  # of the canaries have a wrong label, and as many are outliers


@dataclass(frozen=True, slots=True, kw_only=True)
class Canaries:
    """Records that a coin put in or left out.

    Attributes
    ----------
    records
        All of them.
    member
        bool, (m,): the coins.
    kind
        Of each: `natural`, `mislabelled` or `outlier`.
    """

    records: Split
    member: np.ndarray
    kind: np.ndarray

    def __len__(self) -> int:
        return len(self.records)

    @property
    def members(self) -> Split:
        """The records of the client: those that are in."""
        return take(self.records, self.member)

    @property
    def others(self) -> Split:
        """Those that are not."""
        return take(self.records, ~self.member)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What an attacker has beside the release.

    Attributes
    ----------
    cfg, plan
        All settings, and the plan of the round: its seeds are public.
    reference
        Records of the same population, of which none was the client's.
    """

    cfg: Config
    plan: Plan
    reference: Split
    _kept: dict[tuple[str, int], tuple[Tensor, Tensor]] = field(default_factory=dict, repr=False)

    def once(self, name: str, inputs: Tensor, make: Callable[[], Tensor]) -> Tensor:
        """Return what `make` makes of `inputs`, which is made once and kept under `name`."""
        key = (name, id(inputs))
        if key not in self._kept:
            # the inputs are kept too: their id is theirs as long as they are there
            self._kept[key] = (inputs, make())
        return self._kept[key][1]


def draw_canaries(
    records: Split, *, count: int, seed: int, odd: float = ODD
) -> tuple[Canaries, Split]:
    """Return `count` canaries with a coin each, and the records left: the attacker's reference.

    A share `odd` of the canaries is given a wrong label; as many have their values shuffled, each
    by an order of its own: every value is an ordinary one, and the record is none.

    Raises
    ------
    DataError
        If there are not at least a tenth more records than canaries.
    """
    if not 10 <= count <= len(records) * 10 // 11:
        raise refuse(
            "--canaries",
            expected=f"from 10 to {len(records) * 10 // 11}, so that some records are left",
            got=count,
            remedy="Ask for fewer canaries, or audit on more records.",
        )
    rng = numpy_stream(seed, "audit", "canaries")
    order = torch.from_numpy(rng.permutation(len(records)))
    chosen, left = at(records, order[:count]), at(records, order[count:])
    few = round(odd * count)
    kind = np.full(count, NATURAL, dtype=object)
    kind[:few], kind[few : 2 * few] = MISLABELLED, OUTLIER
    rng.shuffle(kind)
    labels, inputs = chosen.labels.clone(), chosen.inputs.clone()
    for place in np.flatnonzero(kind == MISLABELLED):
        step = int(rng.integers(1, len(records.classes)))
        labels[place] = (labels[place] + step) % len(records.classes)
    for place in np.flatnonzero(kind == OUTLIER):
        flat = inputs[place].flatten()
        inputs[place] = flat[rng.permutation(len(flat))].view_as(inputs[place])
    canaries = Canaries(
        records=Split(inputs=inputs, labels=labels, classes=records.classes),
        member=rng.random(count) < 0.5,
        kind=kind,
    )
    return canaries, left


def take(records: Split, mask: np.ndarray) -> Split:
    """Return the records where `mask`, bool (n,), is true."""
    return at(records, torch.from_numpy(np.flatnonzero(mask)))


def at(records: Split, places: Tensor) -> Split:
    """Return the records at `places`, int64, in that order."""
    return Split(
        inputs=records.inputs[places], labels=records.labels[places], classes=records.classes
    )


def thinned(records: Split, most: int, *, seed: int) -> Split:
    """Return at most `most` of the records, drawn at random."""
    if len(records) <= most:
        return records
    return at(records, torch.randperm(len(records), generator=stream(seed, "thinned"))[:most])
