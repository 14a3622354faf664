"""The copy test: how much nearer rows are to the client's records than to others of the kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fdd_flower.audit.distances import nearest
from fdd_flower.data.base import Split
from fdd_flower.synthetic_set import SyntheticSet

COPY, NEAR = 0.1, 0.5  # of the usual distance between neighbours in the population
ALIKE = 1.25  # times as many members as others, at most: of more, some are nearer by their number
SURE = 0.01  # the error of saying that there are too many


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """How near rows come to the client's records, and to as many others.

    Attributes
    ----------
    copies, copies_holdout
        Share of the rows within a tenth of the usual distance between neighbours.
    near_duplicates, near_duplicates_holdout
        The same within half of it.
    distance, distance_holdout
        Median distance of a row to the nearest record of its class, in the usual one.
    nearer_to_members
        Share of the rows that have a record of the client nearer than any other: a half by chance.
    too_many
        There are more copies, or near duplicates, of the client's records than chance explains.
    """

    rows: int
    copies: float
    copies_holdout: float
    near_duplicates: float
    near_duplicates_holdout: float
    distance: float
    distance_holdout: float
    nearer_to_members: float
    too_many: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A row and its nearest record of the client, for a picture."""

    row: int
    record: int
    distance: float  # in the usual one
    distance_holdout: float


def copy_test(
    part: SyntheticSet, members: Split, holdout: Split, reference: Split
) -> tuple[Copies, list[Pair]]:
    """Return how near the rows come, and for each row the nearest pair, the nearest first.

    Parameters
    ----------
    members, holdout
        The client's records, and about as many that a coin left out: neither has a reason to be
        nearer than the other, but that the rows were made from the first.
    reference
        Records of the population, which say what is usual: per class, the median distance of a
        record to its nearest neighbour.
    """
    usual = usual_distances(reference)[part.labels]
    own, which = nearest(part.inputs, part.labels, members.inputs, members.labels)
    other, _ = nearest(part.inputs, part.labels, holdout.inputs, holdout.labels)
    own, other = own / usual, other / usual
    repeats, _ = nearest(
        reference.inputs, reference.labels, reference.inputs, reference.labels, skip_self=True
    )
    repeated = bool((repeats <= COPY * usual_distances(reference)[reference.labels]).any())
    alike = len(members) <= ALIKE * len(holdout)
    found = Copies(
        rows=len(part),
        copies=_share(own <= COPY),
        copies_holdout=_share(other <= COPY),
        near_duplicates=_share(own <= NEAR),
        near_duplicates_holdout=_share(other <= NEAR),
        distance=float(own.median()),
        distance_holdout=float(other.median()),
        nearer_to_members=_share(own < other),
        too_many=_more(own <= COPY, other <= COPY, by_chance=repeated)
        or (alike and _more(own <= NEAR, other <= NEAR, by_chance=True)),
    )
    pairs = [
        Pair(
            row=row,
            record=int(which[row]),
            distance=float(own[row]),
            distance_holdout=float(other[row]),
        )
        for row in own.argsort().tolist()
        if which[row] >= 0
    ]
    return found, pairs


def usual_distances(reference: Split) -> Tensor:
    """Return per class the median distance of a record to its nearest neighbour, (k,)."""
    apart, _ = nearest(
        reference.inputs, reference.labels, reference.inputs, reference.labels, skip_self=True
    )
    found = torch.full((len(reference.classes),), float(apart.median()))
    for label in reference.labels.unique().tolist():
        found[label] = apart[reference.labels == label].median()
    return found.clamp_min(1e-12)


def _share(hits: Tensor) -> float:
    return float(hits.float().mean())


def _more(own: Tensor, other: Tensor, *, by_chance: bool) -> bool:
    """Tell whether `own` has more hits than `other`, beyond what chance explains.

    Where records of the population repeat each other `by_chance`, so may rows; else one is enough.
    """
    from scipy.stats import binomtest

    # a row that is near both says nothing (McNemar's test)
    hits = int((own & ~other).sum())
    if hits and not by_chance:
        return True
    trials = hits + int((other & ~own).sum())
    return bool(trials and binomtest(hits, trials, alternative="greater").pvalue < SURE)


def as_pairs(pairs: list[Pair], most: int) -> np.ndarray:
    """Return the rows and records of the nearest `most` pairs, each record once, int (n, 2)."""
    seen: set[int] = set()
    found = []
    for pair in pairs:
        if pair.record not in seen and len(found) < most:
            seen.add(pair.record)
            found.append((pair.row, pair.record))
    return np.array(found, dtype=np.int64).reshape(-1, 2)
