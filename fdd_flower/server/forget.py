"""A run replayed without one client: from the ledger, as far as nothing else depended on it.

Exact means bit for bit what a run gives in which the client never joined. Merging and training draw
from streams named by seed and round, and a client's work from one named by its own key, so that
to leave a client out moves nobody else's numbers. Two things reach further:

- Sets of later rounds that were made with the global model, or beside the other clients' rows, are
  other sets than the clients would have sent. Only they can make those, so the replay ends before
  (`launch.remake` asks them, if they are simulated).
- A model that training starts from (`training.start=warm`) remembers: all rounds are trained again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid

from fdd_flower.client.finish import finishes, rounds_of_sets
from fdd_flower.config import Config, StrategyConfig
from fdd_flower.errors import DataError
from fdd_flower.ledger import FORGOTTEN, KEPT, REJECTED, Entry, Ledger
from fdd_flower.ledger.entry import is_refusal
from fdd_flower.methods.base import STRATEGIES, method_of
from fdd_flower.run_folder.load import Run
from fdd_flower.run_folder.run_dir import LEDGER
from fdd_flower.run_folder.trust import outside_names, require_trust
from fdd_flower.server.distillation import FederatedDistillation
from fdd_flower.server.grid import CountingGrid
from fdd_flower.server.server_run import ServerRun
from fdd_flower.server.side import ServerEvaluates, ServerSide, Verdict
from fdd_flower.threads import threads
from fdd_flower.wire.refusals import Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """How far a run can be made again without a client.

    Attributes
    ----------
    first
        The first round that has a set of the client; one more than there are if none has.
    rounds
        Rounds that are replayed; later ones are left out.
    why
        In a sentence.
    """

    first: int
    rounds: int
    why: str


def scope_of(run: Run, entries: list[Entry], client: str) -> Scope:
    """Return how far `run` can be replayed without `client`.

    Raises
    ------
    DataError
        If the run knows no such client, kept no sets, or no round can be replayed.
    ConfigError
        If it names a component of another package, and is not trusted.
    """
    if run.lost:
        name, value = min(run.lost.items())
        raise DataError(
            f"run {run.path}, {name}",
            expected="settings of this version",
            got=repr(value),
            remedy="Make it again with the version that made it: this one would give another.",
        )
    require_trust(outside_names(run.config), run.path, trust=run.trust)
    server = method_of(run.config).server
    if not (isinstance(server, type) and issubclass(server, FederatedDistillation)):
        raise DataError(
            f"run {run.path}, strategy.name",
            expected="fdd, fedaf or sketch, whose sets and sketches are in the ledger",
            got=run.config.strategy.name,
            remedy="Parameters are not stored, and those of a round depend on all clients: run "
            "again without this one.",
        )
    if run.config.sketch.secure_sum:
        raise DataError(
            f"run {run.path}, sketch.secure-sum",
            expected="false",
            got="true",
            remedy="The server has the sum of all clients and no sketch to leave out: run again "
            "without the client.",
        )
    if client not in (known := sorted({entry.client for entry in entries})):
        raise DataError(
            f"client {client!r}",
            expected=f"one of {', '.join(known)[:300] or 'none'}",
            got="one that sent nothing",
            remedy="`fdd ledger RUN` lists them.",
        )
    total, used = run.summary.rounds, {*KEPT, FORGOTTEN}
    sent = [
        e.round for e in entries if e.client == client and e.verdict in used and not is_refusal(e)
    ]
    first = min(sent, default=total + 1)
    if first > total:
        scope = Scope(first=first, rounds=total, why="exact: no set of it was ever used")
    elif first < total and (how := _conditions(run.config)):
        scope = Scope(
            first=first,
            rounds=first,
            why=f"exact up to round {first}; later rounds were conditioned on its set "
            f"({', '.join(how)})",
        )
    elif first < total and finishes(run.config, total):
        last = max(first, rounds_of_sets(run.config))
        scope = Scope(
            first=first,
            rounds=last,
            why=f"exact up to round {last}; what clients sent in round {last + 1} follows from "
            "a model that learned from what this client sent (strategy.finish)",
        )
    else:
        scope = Scope(first=first, rounds=total, why="exact: nothing depended on it")
    for round_ in range(1, scope.rounds + 1):
        if why := _stops(run.config, [e for e in entries if e.round == round_], client):
            scope = replace(
                scope,
                rounds=round_ - 1,
                why=f"exact up to round {round_ - 1}; in round {round_} {why}",
            )
            break
    if run.config.strategy.fraction < 1:
        scope = replace(
            scope,
            why=f"{scope.why}; among the clients that were drawn, for without it "
            "strategy.fraction would have drawn others",
        )
    if scope.rounds == 0:
        raise DataError(
            f"run {run.path} without client {client}",
            expected="a round that can be replayed",
            got=scope.why,
            remedy="Run again without the client.",
        )
    return scope


def _conditions(cfg: Config) -> list[str]:
    """Return the settings by which a client's set depends on what others sent before."""
    name, own = cfg.strategy.name, cfg.distiller
    found = {
        f"strategy.name={name}": STRATEGIES.get(name).conditions,
        "distiller.peers": own.peers,
        "distiller.embedder=global": own.embedder == "global",
        "distiller.labels=global": own.labels == "global",
    }
    return [name for name, does in found.items() if does]


def _stops(cfg: Config, entries: list[Entry], client: str) -> str:
    """Return why a round would have gone another way without `client`; empty if it would not."""
    left = {e.client for e in entries if e.verdict in KEPT} - {client}
    if len(left) < cfg.strategy.quorum:
        return f"only {len(left)} sets are left, and strategy.quorum is {cfg.strategy.quorum}"
    for entry in entries:
        copied = entry.verdict == REJECTED and entry.code == Code.DUPLICATE_SET.value
        if copied and f"client {client} sent" in entry.reason:
            return f"a set of client {entry.client} was refused as a copy of one of its own"
    return ""


def forget(run: Run, client: str, scope: Scope, out: Path) -> Path:
    """Replay `run` without `client` into the new folder `out`, and return it.

    Raises
    ------
    FddError
        If the folder is taken, a set is damaged, or the server's data is missing.
    """
    cfg = replace(
        run.config,
        resume="",
        num_server_rounds=scope.rounds,
        strategy=_strategy(run, scope),
        output=replace(run.config.output, dir=str(out)),
    )
    with threads(cfg.runtime.server_threads):
        return _ReplayRun(cfg, run, client, scope).run()


def _strategy(run: Run, scope: Scope) -> StrategyConfig:
    """Return the strategy of the replay, with the finishing rounds that it reaches."""
    last = scope.rounds - rounds_of_sets(run.config)
    if last > 1:
        return replace(run.config.strategy, finish_rounds=last)
    kind = run.config.strategy.finish if last else "none"
    return replace(run.config.strategy, finish=kind, finish_rounds=1, finish_step="mean")


class _ReplayRun(ServerRun):
    """A run whose clients are the ledger of an earlier one."""

    def __init__(self, cfg: Config, run: Run, client: str, scope: Scope) -> None:
        grid: Any = None  # nobody is asked
        source = Ledger(run.path / LEDGER)
        # the ledger's rows are encoded by the run's schema, whatever its file says now
        schema = run.schema if run.schema and run.schema.label else None
        super().__init__(cfg, grid, run_id=run.path.name, schema=schema)
        nonce = next(entry.plan for entry in source.entries())
        self.plan = self.side.plan = replace(self.plan, nonce=nonce)
        self.source, self.old_rows = source, run.rows
        # trained from fresh weights, rounds that never had the client stay as they were
        # (a finishing round needs the model and the merged set of the round before)
        again = cfg.training.start != "scratch" or cfg.strategy.finish != "none"
        self.unchanged = 0 if again else scope.first - 1
        self.unchanged = min(self.unchanged, scope.rounds - 1)

        original = self.method.server

        def server(side: ServerSide) -> _Replay:
            method = original(side)
            assert isinstance(method, FederatedDistillation)  # or `scope_of` had refused
            return _Replay(method, source, client, self.grid, unchanged=self.unchanged)

        self.method = replace(self.method, server=server)

    def _check_options(self) -> None:
        """Do nothing: they were checked when the run began, and fewer rounds are no mistake."""

    def _finish_round(self, server_round: int, arrays: ArrayRecord) -> MetricRecord:
        if server_round > self.unchanged:
            return super()._finish_round(server_round, arrays)
        old = self.old_rows[server_round - 1]
        # the model is as it was; what was counted had the client's refused replies in it
        row = self._row(server_round, accuracy=old.accuracy, loss=old.loss, metrics=old.metrics)
        row = replace(row, seconds_train=old.seconds_train)
        self.rows.append(row)
        self._append(row)
        return MetricRecord({"accuracy": row.accuracy})


class _Replay(ServerEvaluates):
    """`method`, with what each round's clients sent from a ledger; asks nobody."""

    def __init__(
        self,
        method: FederatedDistillation,
        source: Ledger,
        client: str,
        grid: CountingGrid,
        *,
        unchanged: int,
    ) -> None:
        self.method, self.side = method, method.side
        self.source, self.client, self.grid, self.unchanged = source, client, grid, unchanged

    def summary(self) -> None:
        """Log what the method logs."""
        self.method.summary()

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Ask nobody."""
        self.method.arrays, self.method.round = arrays, server_round
        return []

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord, MetricRecord]:
        """Judge as before, score again, and learn from the accepted sets of the other clients."""
        parts: dict[str, str] = {}
        for entry in self.source.entries():
            if entry.round != server_round or entry.client == self.client:
                continue
            if entry.verdict in KEPT:
                parts[entry.client] = self.side.ledger.record(
                    self.source.load_any(entry.sha256),
                    client=entry.client,
                    round=server_round,
                    plan=entry.plan,
                    num_bytes=entry.bytes,
                )
            elif entry.verdict == REJECTED:
                self.side.ledger.reject(
                    client=entry.client,
                    round=server_round,
                    plan=entry.plan,
                    code=entry.code,
                    reason=entry.reason,
                    num_bytes=entry.bytes,
                    content=self.source.payload(entry),
                )
            else:
                continue
            self._count(entry)
        kept = self.method.screened(server_round, parts)
        if server_round <= self.unchanged:
            return self.method.arrays, MetricRecord({"rows": 0})
        return self.method.learn(server_round, kept)

    def _count(self, entry: Entry) -> None:
        self.grid.bytes_up += entry.bytes
        self.side.tally.verdicts.append(
            Verdict(
                client=entry.client,
                accepted=entry.verdict in KEPT,
                reason="" if entry.verdict in KEPT else entry.reason,
                code="" if entry.verdict in KEPT else entry.code,
                num_bytes=entry.bytes,
                seconds=0.0,
            )
        )
