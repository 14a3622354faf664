"""Which sets are merged after a round: those that came, or those of the last few rounds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from fdd_flower.ledger import StoredSets
from fdd_flower.run_folder.saved_set import Source
from fdd_flower.server.judging.duplicates import client_order
from fdd_flower.server.side import ServerSide
from fdd_flower.synthetic_set import SyntheticSet

LEAST = 1e-30  # of a factor: what is older still has a weight above 0
POOLING = ("pool", "pool_rounds", "pool_decay")  # settings of `strategy`


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """A set in the ledger, and how much its age leaves of what its client claims for its rows."""

    client: str
    round: int
    sha256: str
    factor: float = 1.0

    @property
    def source(self) -> Source:
        """Where its rows come from."""
        return Source(self.round, self.sha256)

    def load(self, side: ServerSide) -> SyntheticSet:
        """Read the set, under the weights that it now has."""
        found = side.ledger.load(self.sha256)
        if self.factor == 1:
            return found
        least = torch.finfo(torch.float32).tiny  # a client may claim as little as it likes
        return replace(found, weights=(found.weights * self.factor).clamp_min(least))


def pool_of(parts: StoredSets, side: ServerSide, round_: int) -> list[Pooled]:
    """Return what is merged after `round_`, whose own sets are `parts`: by client, newest first.

    With `strategy.pool = last` the last set of each client of `strategy.pool-rounds` rounds: a
    client that was not drawn, or is gone, still counts. With `all` every set of those rounds, as
    the pools of published methods that refine sets over rounds have it. A set that was refused or
    put in quarantine in its own round is in no pool. The newest comes first, so that of rows that
    nearly repeat each other `dedupe` keeps it.
    """
    cfg = side.cfg.strategy
    own = [Pooled(client=c, round=round_, sha256=s) for c, s in parts.hashes.items()]
    if cfg.pool == "round":
        return own
    first = max(1, round_ - cfg.pool_rounds + 1)
    pool = own + [
        Pooled(
            client=client,
            round=earlier,
            sha256=entry.sha256,
            factor=max(LEAST, cfg.pool_decay ** (round_ - earlier)),
        )
        for earlier in range(first, round_)
        for client, entry in side.ledger.accepted(earlier).items()
    ]
    if cfg.pool == "last":
        last = {one.client: one for one in sorted(pool, key=lambda one: one.round)}
        pool = list(last.values())
    return sorted(pool, key=lambda one: (client_order(one.client), -one.round))
