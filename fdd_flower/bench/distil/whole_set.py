"""A whole training set distilled as one client, or as one client per class."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from fdd_flower.bench.distil.equal_bytes import drop_rows, spare_rows
from fdd_flower.config import Config
from fdd_flower.data.base import Split
from fdd_flower.device import on_host
from fdd_flower.distillers.base import DISTILLERS, Distilled, Plan
from fdd_flower.errors import DistillError
from fdd_flower.rng import stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """What each client distilled, and the classes that none did."""

    sent: tuple[Distilled, ...]
    withheld: tuple[str, ...]

    @property
    def spare_rows(self) -> int:
        """How many rows can go before a class of a client has none."""
        return sum(spare_rows(part.synthetic) for part in self.sent)


def distil(cfg: Config, data: Split, *, plan: Plan, seed: int, single_class: bool) -> Clients:
    """Distil `data` as one client, or each of its classes as a client of its own.

    Every client draws from the same stream, so that a method which works class by class gives
    the same rows either way.

    Raises
    ------
    DistillError
        If a client cannot distil its records; an error's `kept` is the last good set.
    """
    if not single_class:
        one = _as_client(cfg, data, plan, seed)
        return Clients(sent=(one,), withheld=one.withheld)
    shares, withheld = _classes(cfg, data)
    if not shares:
        raise DistillError(
            "records of each class",
            expected=f"at least distiller.min-records = {cfg.distiller.min_records}",
            got="fewer in every class",
            remedy="Lower distiller.min-records.",
        )
    # a budget is a client's, and all of them together have what one would have
    part = replace(cfg.distiller, bytes=cfg.distiller.bytes // len(shares))
    cfg = replace(cfg, distiller=part)
    return Clients(
        sent=tuple(_as_client(cfg, share, plan, seed) for share in shares),
        withheld=tuple(withheld),
    )


def _as_client(cfg: Config, data: Split, plan: Plan, seed: int) -> Distilled:
    distiller = DISTILLERS.get(cfg.distiller.name)(cfg.distiller)
    rng = stream(seed, "bench", "client")
    return on_host(distiller.distill(data, plan=plan, start=None, rng=rng))


def _classes(cfg: Config, data: Split) -> tuple[list[Split], list[str]]:
    """Return a split a class that is large enough, and the names of the others."""
    shares, withheld = [], []
    for label, name in enumerate(data.classes):
        held = torch.nonzero(data.labels == label).flatten()
        if len(held) >= cfg.distiller.min_records:
            shares.append(data.take(held))
        elif len(held):
            withheld.append(name)
    return shares, withheld


def fewer_rows(clients: Clients, count: int) -> Clients:
    """Return `clients` with `count` rows less in all, each from the client that then has most."""
    sizes = [len(part.synthetic) for part in clients.sent]
    left = [spare_rows(part.synthetic) for part in clients.sent]
    drop = [0] * len(sizes)
    for _ in range(count):
        most = max(
            (i for i in range(len(sizes)) if drop[i] < left[i]), key=lambda i: sizes[i] - drop[i]
        )
        drop[most] += 1
    pairs = zip(clients.sent, drop, strict=True)
    sent = tuple(replace(part, synthetic=drop_rows(part.synthetic, n)) for part, n in pairs)
    return replace(clients, sent=sent)
