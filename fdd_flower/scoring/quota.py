"""A quota: how much of a class one client's claimed counts can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from fdd_flower.synthetic_set import LazySets, SyntheticSet


def bound_shares(
    parts: Sequence[SyntheticSet], quota: float, *, owners: Sequence[str]
) -> Sequence[SyntheticSet]:
    """Return `parts` with weights by which nobody has more than its quota of a class.

    Of a class that m clients hold, at most `quota` / m of the claimed weight: 1 makes all equal,
    and a client that alone holds a class keeps it. Within a client's class the weights keep their
    ratios. A `quota` of 0 bounds nothing. A merger that sets weights does so afterwards.

    Parameters
    ----------
    owners
        The client that each of `parts` is of; one may have several.
    """
    if quota == 0 or len(set(owners)) < 2:
        return parts
    claimed, labels = zip(*((part.weights.clone(), part.labels) for part in parts), strict=True)
    weights = [own.clone() for own in claimed]
    place = {owner: at for at, owner in enumerate(dict.fromkeys(owners))}
    of = torch.tensor([place[owner] for owner in owners])
    for label in torch.cat(labels).unique():
        rows = [held == label for held in labels]
        each = torch.stack(
            [own[held].double().sum() for own, held in zip(claimed, rows, strict=True)]
        )
        claims = torch.zeros(len(place), dtype=torch.float64).index_add_(0, of, each)
        scale = (bound_claims(claims, quota) / claims.clamp_min(1e-300)).float()
        for own, held, factor in zip(weights, rows, scale[of], strict=True):
            own[held] *= factor
    return LazySets([partial(_weighted, parts, at, own) for at, own in enumerate(weights)], labels)


def _weighted(parts: Sequence[SyntheticSet], at: int, weights: Tensor) -> SyntheticSet:
    return replace(parts[at], weights=weights)


def bound_claims(claims: Tensor, quota: float) -> Tensor:
    """Return `claims` (m,), from 0, cut so that none is above `quota` / holders of their sum.

    The largest are cut to one height h, the lowest that does: with j cut, h is s / (1 - j s) of the
    sum of the others, s being the share that is allowed.
    """
    holders = int((claims > 0).sum())
    share = quota / max(1, holders)
    if share >= 1:
        return claims
    ordered = claims.sort(descending=True).values
    cut, height = 0, share * float(ordered.sum())
    while float(ordered[cut]) > height and cut < holders - 1:
        cut += 1
        height = share / (1 - cut * share) * float(ordered[cut:].sum())
    return claims if cut == 0 else claims.clamp_max(height)
