"""A round of replies in its own process: `python -m fdd_flower.bench.load.worker`.

A job comes on stdin, a row leaves as the last line of stdout. What runs is what a server runs: the
strategy asks, the grid collects, each reply is judged and written to a ledger, the sets are merged.
No model is trained.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from flwr.app import ArrayRecord

from fdd_flower.bench.load.rows import Row
from fdd_flower.bench.load.settings import Load
from fdd_flower.bench.load.traffic import CLASSES, Traffic
from fdd_flower.bench.memory import give_back, peak_bytes, resident_bytes
from fdd_flower.bench.spawn import answer
from fdd_flower.config import Scalar, from_run_config
from fdd_flower.errors import QuorumError
from fdd_flower.ledger import Ledger, content_hash
from fdd_flower.local_grid import LocalGrid
from fdd_flower.server.distillation import FederatedDistillation
from fdd_flower.server.grid import CountingGrid
from fdd_flower.server.side import ServerSide
from fdd_flower.threads import threads
from fdd_flower.wire.records import plan_record

WARM_UP = 2  # clients of a first round: libraries are loaded and buffers made before it counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A round of `clients` replies; the ledger goes into `folder`."""

    clients: int
    kilobytes: float
    settings: Mapping[str, Scalar]
    folder: str

    def to_json(self) -> str:
        """Return this job as one line."""
        return json.dumps(asdict(self))


def measure(job: Job) -> Row:
    """Take in a round of replies and return what it cost.

    Raises
    ------
    FddError
        If a reply was refused, or the disk fails.
    """
    cfg = from_run_config(job.settings)
    traffic = Traffic(Load(clients=(job.clients,), kilobytes=job.kilobytes, cfg=cfg))
    with threads(cfg.runtime.server_threads):
        take_in(traffic, WARM_UP, Path(job.folder) / "warm-up")
        give_back()
        base = resident_bytes()
        return take_in(traffic, job.clients, Path(job.folder) / "ledger", base=base)


def take_in(traffic: Traffic, clients: int, ledger: Path, *, base: int = 0) -> Row:
    """Run one round up to its merged set."""
    cfg = traffic.load.cfg
    ipc = -(-traffic.rows // CLASSES)
    cfg = replace(
        cfg,
        distiller=replace(cfg.distiller, ipc=ipc),
        strategy=replace(cfg.strategy, min_nodes=clients, quorum=clients),
    )
    side = ServerSide(cfg=cfg, plan=traffic.plan, ledger=Ledger(ledger))
    strategy = FederatedDistillation(side)
    grid = CountingGrid(LocalGrid(traffic.app(), clients, {}))
    asked = strategy.configure_train(1, ArrayRecord(), plan_record(traffic.plan), grid)  # pyright: ignore[reportArgumentType]
    replies = grid.send_and_receive(asked)
    started = time.perf_counter()
    parts = strategy.take_in(1, replies)
    accepted = time.perf_counter()
    merged = strategy.merge(1, parts)
    ended, peak = time.perf_counter(), peak_bytes()
    if len(parts) < clients:
        raise QuorumError(
            "replies", expected=f"{clients} accepted", got=len(parts), remedy="Report this."
        )
    pool = sum(t.nbytes for t in (merged.inputs, merged.targets, merged.weights))
    return Row(
        clients=clients,
        codec=cfg.codec.name,
        bytes=grid.bytes_up // clients,
        rows=len(merged),
        seconds=round(ended - started, 3),
        seconds_accept=round(accepted - started, 3),
        seconds_merge=round(ended - accepted, 3),
        pool_mb=pool / 1e6,
        base_mb=base / 1e6,
        peak_mb=peak / 1e6,
        digest=content_hash(merged),
    )


if __name__ == "__main__":
    sys.exit(answer(lambda text: asdict(measure(Job(**json.loads(text))))))
