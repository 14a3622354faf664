"""The records that a client distils in a round: all, or others than in the rounds before."""

from __future__ import annotations

import torch

from fdd_flower.config import Config
from fdd_flower.data.base import Split
from fdd_flower.rng import stream


def records_of_round(data: Split, cfg: Config, *, client: str, round_: int, rounds: int) -> Split:
    """Return the records of `data` that are distilled in `round_`, in their order.

    With `distiller.fresh` the records of each class are dealt at random into parts of about the
    same size, and the rounds take them in turn. There are as many parts as rounds, or fewer: each
    has at least `distiller.ipc` times `distiller.min-records` records.

    Parameters
    ----------
    client
        Who holds them; it draws parts of its own.
    rounds
        Of sets, in the whole run.
    """
    own = cfg.distiller
    if not own.fresh:
        return data
    taken = []
    for label in data.labels.unique().tolist():
        places = (data.labels == label).nonzero()[:, 0]
        rng = stream(cfg.seed, "fresh", client, label)
        dealt = places[torch.randperm(len(places), generator=rng).to(places.device)]
        parts = max(1, min(rounds, len(places) // (own.ipc * own.min_records)))
        taken.append(dealt.tensor_split(parts)[(round_ - 1) % parts])
    return data.take(torch.cat(taken).sort().values)
