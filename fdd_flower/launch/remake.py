"""A simulated run repeated round by round, without one of its clients."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path

from fdd_flower.launch.begun import Begun
from fdd_flower.ledger import KEPT, Ledger
from fdd_flower.run_folder.run_dir import LEDGER


def without(begun: Begun, client: str, out: Path) -> Begun:
    """Return `begun` as a new run into `out` that `client` never joins; the split is the same.

    Who is waited for does not shape the result: for one fewer, where all were.
    """
    absent = (*begun.absent, client)
    cfg, left = begun.config, begun.clients - len(absent)
    strategy = replace(cfg.strategy, min_nodes=min(cfg.strategy.min_nodes, left))
    cfg = replace(cfg, resume="", strategy=strategy, output=replace(cfg.output, dir=str(out)))
    return replace(begun, config=cfg, absent=absent)


def can_remake(begun: Begun | None, client: str) -> bool:
    """Tell whether `client` is one of those that `begun` simulates on this machine."""
    return begun is not None and client.isdecimal() and int(client) < begun.clients


def first_difference(old: Path, new: Path, client: str, *, rounds: int) -> int | None:
    """Return the first of `rounds` rounds in which another client's set is not what it was.

    Up to there nothing was conditioned on `client`: sets differ only because another machine or
    version made them.
    """
    differing = _sets(old, client) ^ _sets(new, client)
    return min((round_ for round_, _, _ in differing if round_ <= rounds), default=None)


def _sets(folder: Path, client: str) -> AbstractSet[tuple[int, str, str]]:
    entries = Ledger(folder / LEDGER).entries()
    kept = [entry for entry in entries if entry.verdict in KEPT and entry.client != client]
    return {(entry.round, entry.client, entry.sha256) for entry in kept}
