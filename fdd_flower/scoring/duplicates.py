"""Copies: rows that another client sent too, or nearly so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fdd_flower.scoring.base import Evidence, Finding
from fdd_flower.scoring.root import Root

FAR = 0.15  # of the distance from a root record to the next one of its class
NEAR = 0.3  # of the usual distance from a row to those of another client
USUAL = 0.9  # quantile of the distances: most rows may be copies of one another
COPIED = 0.5  # share of copies at which a set is another client's: most of it
LEAST = 3  # rows of a client that must be copies

Counts = Mapping[str, Counter[tuple[str, bool]]]


def duplicates(evidence: Evidence) -> dict[str, Finding]:
    """Return the largest share of each client's rows that one other client has too, 0 to 1.

    A row is a copy where a row of the other client with the same label, of this round or the last
    before it, is nearer in random features than 0.15 of what lies between a root record and the
    next one of its class, and than 0.3 of what lies between rows of two clients where they are
    far apart (the ninth decile): many records of one distribution have much the same mean. Where
    either is 0, as for records of few distinct values, no row is a copy. Sets that are the same
    value for value never get here.

    Suspect from `COPIED` on, and three rows, for whoever came second: a client whose
    rows are near its own earlier ones goes before one that changed to them, then clients with
    earlier sets go before new ones, then the order of merging decides.
    """
    counts = near_rows([*_rows(evidence)], evidence.root)
    senior, found = _seniority(evidence, counts), {}
    for client, part in evidence.parts.items():
        others = {of: count for of, count in counts[client].items() if of[0] != client}
        share = max(others.values(), default=0) / len(part)
        owners = [
            of
            for of, count in others.items()
            if count >= max(LEAST, COPIED * len(part)) and senior[of[0]] < senior[client]
        ]
        if not owners:
            found[client] = Finding(share)
            continue
        owner, old = max(owners, key=lambda of: others[of])
        original = (evidence.earlier if old else evidence.parts)[owner]
        why = f"{share:.0%} of its rows are near copies of client {owner}'s"
        found[client] = Finding(share, True, why, beside=original)
    return found


@dataclass(frozen=True, slots=True)
class Rows:
    """A set of this round, or an old one, in random features (n, d)."""

    client: str
    old: bool
    features: Tensor
    labels: Tensor


def _rows(evidence: Evidence) -> Iterator[Rows]:
    for client, part in evidence.parts.items():
        yield Rows(client, False, part.features, part.labels)
    for client, part in evidence.earlier.items():
        yield Rows(client, True, part.features, part.labels)


def near_rows(sets: list[Rows], root: Root) -> Counts:
    """Return by client of this round how many of its rows are near a row of each other set."""
    nearest: list[tuple[Rows, list[Rows], Tensor]] = []
    usual: list[Tensor] = []
    for label in range(len(root.recall)):
        held = [one for one in sets if (one.labels == label).any()]
        scale = _root_distance(root, label)
        if held and scale > 0:
            for one, away in _nearest(held, label):
                away /= scale
                nearest.append((one, held, away))
                others = [i for i, two in enumerate(held) if not two.old and two is not one]
                if others:
                    usual.append(away[:, others].median(dim=1).values)
    found = {one.client: Counter[tuple[str, bool]]() for one in sets if not one.old}
    near = min(FAR, NEAR * quantile(torch.cat(usual), USUAL)) if usual else FAR
    for one, held, away in nearest:
        for other, count in zip(held, (away < near).sum(dim=0).tolist(), strict=True):
            if other is not one:
                found[one.client][other.client, other.old] += count
    return found


def quantile(values: Tensor, share: float) -> float:
    """Return the value below which a `share` of `values` (m,) is; of any number of them."""
    return float(values.sort().values[min(len(values) - 1, int(share * len(values)))])


def _root_distance(root: Root, label: int) -> float:
    """Return the median distance of a class's root records to the next one; 0 of fewer than 2."""
    f = root.features[root.targets[:, label] > 0].float()
    if len(f) < 2:
        return 0.0
    return float(_distances(f, f).fill_diagonal_(torch.inf).min(dim=1).values.median())


def _nearest(held: list[Rows], label: int) -> Iterator[tuple[Rows, Tensor]]:
    """Yield each set of this round and the distances (n, len(held)) to each set's nearest row."""
    own = [one.features[one.labels == label] for one in held]
    every = torch.cat(own)
    sizes = torch.tensor([len(f) for f in own], device=every.device)
    owner = torch.arange(len(own), device=every.device).repeat_interleave(sizes)
    for one, f in zip(held, own, strict=True):
        if not one.old:
            away, index = _distances(f, every), owner.expand(len(f), -1)
            blank = away.new_full((len(f), len(held)), torch.inf)
            yield one, blank.scatter_reduce_(1, index, away, "amin")


def _distances(a: Tensor, b: Tensor) -> Tensor:
    # by products of matrices they would be wrong where they are small
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def _seniority(evidence: Evidence, counts: Counts) -> dict[str, tuple[int, int]]:
    # one that sent nothing now sent its rows before
    order = {client: (0, -1) for client in evidence.earlier}
    for place, (client, part) in enumerate(evidence.parts.items()):
        goes_on = counts[client][client, True] >= COPIED * len(part)
        order[client] = (0 if goes_on else 1 + (client not in evidence.earlier), place)
    return order
