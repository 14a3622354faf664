"""The server half of every run: check, prepare, run the strategy, save the results."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import cast

from flwr.app import ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from fdd_flower import device
from fdd_flower.client.side import new_model
from fdd_flower.config import Config, from_run_config, with_preset
from fdd_flower.data import load_dataset
from fdd_flower.errors import DataError, FddError
from fdd_flower.ledger import Ledger
from fdd_flower.models import resolve_name
from fdd_flower.privacy.card import PrivacyCard
from fdd_flower.progress_log import OUTPUT, complain, say
from fdd_flower.releases.terms import card_of
from fdd_flower.report.headline import threshold_words
from fdd_flower.report.html import write_report
from fdd_flower.run_folder.checkpoint import Checkpoint
from fdd_flower.run_folder.lock import hold
from fdd_flower.run_folder.resume import check_schema, resumed_settings
from fdd_flower.run_folder.rows import COMPLETED, RoundRow, Summary
from fdd_flower.run_folder.run_dir import LEDGER, REPORT, RunDir, resolve, settings_text
from fdd_flower.run_folder.versions import versions
from fdd_flower.schema import Schema
from fdd_flower.scoring import Root, server_records
from fdd_flower.secure_sum.total import sums_asked
from fdd_flower.server.about import about, notes
from fdd_flower.server.checks import (
    check_components,
    check_method,
    make_plan,
)
from fdd_flower.server.extra_models import check_models, extra_models
from fdd_flower.server.grid import CountingGrid
from fdd_flower.server.measuring.likeness import compared
from fdd_flower.server.measuring.measured import Measured
from fdd_flower.server.measuring.thresholds import cannot_choose, choosing_rows, wanted
from fdd_flower.server.resumed_strategy import Resumable, ResumedStrategy, Stateful
from fdd_flower.server.side import RoundTally, ServerSide
from fdd_flower.server.tracking import Tracking
from fdd_flower.threads import threads
from fdd_flower.training.evaluation import Evaluation, evaluate
from fdd_flower.training.metrics import Choosing
from fdd_flower.wire.codecs.base import resolved
from fdd_flower.wire.records import plan_record
from fdd_flower.wording import many


def serve(grid: Grid, context: Context) -> None:
    """Run every round and leave the run folder.

    Raises
    ------
    FddError
        After one clear line in the log, if the run cannot be completed. Flower marks a run as
        failed when its ServerApp raises an Exception; a SystemExit would pass as completed.
    """
    try:
        folder = _serve(grid, context)
    except FddError as error:
        complain(str(error))
        raise
    except OSError as error:
        named = DataError(
            "the run's folder",
            expected="a disk that can be read and written",
            got=error,
            remedy="Free disk space or fix the permissions; then resume the run.",
        )
        complain(str(named))
        raise named from error
    say(f"{OUTPUT}{folder}")


def _serve(grid: Grid, context: Context) -> Path:
    cfg = from_run_config(context.run_config)
    if cfg.resume:
        cfg = resumed_settings(cfg)
        folder = RunDir(Path(cfg.resume))
        if folder.status() == COMPLETED:
            say("the run is complete: there is nothing to resume")
            _tidy(folder)
            return folder.path
    with threads(cfg.runtime.server_threads):
        run = ServerRun(cfg, grid, str(context.run_id))
        for line in about(run.cfg, run.dataset, run.notes):
            say(line)
        return run.run()


def _tidy(folder: RunDir) -> None:
    """Do what a process that was killed after the summary did not come to."""
    if not (folder.path / REPORT).exists():
        write_report(folder.path)
    folder.clear()


class ServerRun:
    """One run, from checked settings to a written folder.

    Parameters
    ----------
    schema
        Of a table, in place of what `cfg.data` says.
    """

    def __init__(
        self, cfg: Config, grid: Grid, run_id: str, *, schema: Schema | None = None
    ) -> None:
        self.method = check_components(cfg)
        self.dataset = load_dataset(cfg.data, seed=cfg.seed, schema=schema)
        # `fdd run` has filled in what is left open; with `flwr run` it is done here
        filled = with_preset(
            cfg, shape=self.dataset.feature_shape, classes=len(self.dataset.classes)
        )
        if filled.chosen:
            say(filled.words(cfg.preset))
        self.cfg = cfg = filled.config
        self.filled = bool(filled.chosen)
        self.plan = make_plan(cfg, self.dataset, run_id)
        there = device.resolve(cfg.runtime.device)
        self.test, records = device.moved(server_records(cfg, self.dataset), there)
        self.grid = CountingGrid(grid)
        # Built before the folder is made: a model that does not fit leaves nothing behind.
        self.model = new_model(cfg, self.plan)
        self._check_options()
        self.measured = Measured(cfg.evaluation, self.test, self.dataset.group_names)
        self.notes = notes(cfg, self.dataset, self.method)
        if cfg.resume:
            check_schema(Path(cfg.resume), self.dataset.schema)
            self.folder = RunDir.reopen(Path(cfg.resume))
        else:
            self.folder = RunDir.create(resolve(cfg.output.dir, run_id), cfg)
        ledger = self.folder.path / LEDGER
        ledger.mkdir(exist_ok=True)
        root = None if records is None else Root.of(records, seed=cfg.seed)
        self.side = ServerSide(cfg=cfg, plan=self.plan, ledger=Ledger(ledger), root=root)
        self.strategy: Strategy | None = None  # until the rounds begin
        self.rows: list[RoundRow] = []
        self.clients: set[str] = set()
        self.last: Evaluation | None = None
        self.by_model: dict[str, Evaluation] = {}
        self.choosing: Mapping[str, Choosing | str] = {}
        self.seconds_before = 0.0  # of the processes that were killed
        self.started = time.monotonic()

    def _check_options(self) -> None:
        check_models(self.cfg, self.plan, self.method)
        check_method(self.method, self.cfg, self.plan, self.model)

    def run(self) -> Path:
        """Run all rounds and return the folder.

        Raises
        ------
        FddError
            If the run cannot continue; the folder then says so too.
        """
        with hold(self.folder.path):
            # with the lock on: until now another process may have been at work
            if self.folder.status() == COMPLETED:
                return self.folder.path
            # first: who resumes the run must know what its records were
            self.folder.write_schema(self.dataset.schema)
            checkpoint = self.folder.read_checkpoint()
            if checkpoint is None:
                self._begin()
            else:
                self._return_to(checkpoint)
            self.tracking = Tracking(self.cfg, self.folder.path, self.rows)
            try:
                self._run_rounds(checkpoint)
                self._train_more()
                self.choosing = self._choosing()
            except BaseException as error:
                # What was reached is kept, and the error that ended the run is what shows.
                with suppress(Exception):
                    self._finish_run(f"failed: {error or type(error).__name__}")
                raise
            self._finish_run(COMPLETED)
            self.folder.clear()
        return self.folder.path

    def _begin(self) -> None:
        self.folder.welcome_clients(self.plan.nonce)
        # before any client is asked: a later process must know the nonce that they were given
        self._write_checkpoint(0)

    def _return_to(self, checkpoint: Checkpoint) -> None:
        say(f"resuming after round {checkpoint.round} of {self.cfg.num_server_rounds}")
        self.plan = self.side.plan = replace(self.plan, nonce=checkpoint.nonce)
        self.folder.write_config(self.cfg)
        self.folder.welcome_clients(self.plan.nonce)
        # The round that was under way is asked again as a whole: a verdict may depend on the
        # other replies of its round, and clients give the same bytes for the same question.
        # A sum of masked sketches that the ledger has is the round, and stays what it was.
        done, ledger = checkpoint.round, self.side.ledger
        summed = self.cfg.sketch.secure_sum and bool(ledger.accepted(done + 1))
        ledger.supersede(after_round=done + summed)
        self.folder.rewind(checkpoint.rows)
        self.rows, self.clients = list(checkpoint.rows), set(checkpoint.clients)
        self.side.client_at = dict(checkpoint.client_at)
        self.seconds_before = checkpoint.seconds
        self.model.load_state_dict(dict(checkpoint.model))
        if checkpoint.round:
            self.last = evaluate(self.model, self.test)

    def _run_rounds(self, checkpoint: Checkpoint | None) -> None:
        config, strategy = plan_record(self.plan), self.method.server(self.side)
        self.strategy = strategy
        done = checkpoint.round if checkpoint else 0
        if self.cfg.resume or self.filled:
            # the run config may name a resumed run's folder and nothing else, or a preset
            config["settings"] = settings_text(self.cfg)
        if checkpoint and done and isinstance(strategy, Resumable):
            strategy.resume(done, self.side.ledger.sets(dict(checkpoint.parts)))
        if checkpoint and done and isinstance(strategy, Stateful):
            strategy.restore(checkpoint.state)
        if done == self.cfg.num_server_rounds:
            return

        def finish_round(number: int, arrays: ArrayRecord) -> MetricRecord | None:
            # Flower asks for the untrained model too, as round 0
            return self._finish_round(number + done, arrays) if number else None

        (ResumedStrategy(strategy, done=done) if done else strategy).start(
            grid=cast(Grid, self.grid),
            initial_arrays=ArrayRecord(self.model.state_dict()),
            num_rounds=self.cfg.num_server_rounds - done,
            timeout=self.cfg.strategy.deadline,
            train_config=config,
            evaluate_fn=finish_round,
        )

    def _write_checkpoint(self, server_round: int) -> None:
        parts = self.side.ledger.accepted(server_round)
        self.folder.write_checkpoint(
            Checkpoint(
                round=server_round,
                nonce=self.plan.nonce,
                model=self.model.state_dict(),
                rows=tuple(self.rows),
                clients=tuple(sorted(self.clients)),
                parts=tuple((client, entry.sha256) for client, entry in parts.items()),
                client_at=self.side.client_at,
                seconds=self._seconds(),
                state=self.strategy.state() if isinstance(self.strategy, Stateful) else {},
            )
        )

    def _seconds(self) -> float:
        return round(self.seconds_before + time.monotonic() - self.started, 3)

    def _finish_round(self, server_round: int, arrays: ArrayRecord) -> MetricRecord:
        self.model.load_state_dict(arrays.to_torch_state_dict())
        self.last = evaluate(self.model, self.test)
        metrics = self.measured.metrics(self.last)
        row = self._row(
            server_round, accuracy=self.last.accuracy, loss=self.last.loss, metrics=metrics
        )
        self.rows.append(row)
        # the checkpoint first: what `rounds.jsonl` says once, it never takes back
        self._write_checkpoint(server_round)
        self._append(row)
        say(
            f"round {server_round}/{self.cfg.num_server_rounds}: "
            f"{self.measured.words(row.accuracy, metrics)}, loss {row.loss:.4f}, "
            f"{many(row.replies, 'reply')}, {row.rejected} dropped, "
            f"{row.bytes_up / 1000:.1f} kB up, {row.bytes_down / 1000:.1f} kB down"
        )
        return MetricRecord({"accuracy": row.accuracy, "loss": row.loss})

    def _append(self, row: RoundRow) -> None:
        self.folder.append_round(row)
        self.tracking.round(row)

    def _row(
        self, server_round: int, *, accuracy: float, loss: float, metrics: Mapping[str, float]
    ) -> RoundRow:
        """Return what the round did, and reset the counts."""
        tally, self.side.tally = self.side.tally, RoundTally()
        up, down = self.grid.take_counts()
        used = [verdict for verdict in tally.verdicts if verdict.accepted]
        self.clients |= {verdict.client for verdict in used}
        return RoundRow(
            round=server_round,
            accuracy=accuracy,
            loss=loss,
            replies=len(used),
            rejected=len(tally.verdicts) - len(used),
            bytes_up=up,
            bytes_down=down,
            seconds_distill_max=max(verdict.seconds for verdict in used),
            seconds_train=round(tally.seconds_train, 3),
            epsilon=self._card(rows=False).epsilon,
            rejected_codes=tally.rejected_codes(),
            metrics=metrics,
        )

    def _card(self, *, rows: bool) -> PrivacyCard:
        shape, ledger = self.plan.feature_shape, self.side.ledger
        return card_of(self.cfg, rows=rows, feature_shape=shape, sums=sums_asked(ledger.path))

    def _train_more(self) -> None:
        for name, weights, found in extra_models(self.side, self.test, len(self.rows)):
            self.folder.write_model(weights, name=name)
            self.by_model[name] = found
            words = self.measured.words(found.accuracy, self.measured.metrics(found))
            say(f"{name} on the same {many(len(self.side.merged or ()), 'row')}: {words}")

    def _choosing(self) -> Mapping[str, Choosing | str]:
        """Return, by model, the rows that choose its threshold, or why none do, if it is wanted."""
        if self.last is None or not wanted(self.cfg.evaluation):
            return {}
        own = resolve_name(self.cfg.model.name, self.plan.feature_shape)
        names, positive = (own, *self.by_model), self.measured.headline.positive
        if why := cannot_choose(self.cfg, self.method):
            return dict.fromkeys(names, why)
        return {name: choosing_rows(self.side, name, positive, len(self.rows)) for name in names}

    def _finish_run(self, status: str) -> None:
        if self.rows:
            self.folder.write_model(self.model.state_dict())
            if self.last is not None:
                self.folder.write_evaluation(self.measured.answers(self.last))
            if self.side.merged is not None:
                self.folder.write_synthetic(
                    self.side.merged,
                    self.plan.classes,
                    self.plan.normalisation,
                    self.side.sources,
                )
        distances: Mapping[str, Mapping[str, float]] = {}
        if self.rows and (alike := compared(self.dataset.schema, self.test, self.side.merged)):
            found, distances = alike
            self.folder.write_columns(found)
        # Last of the data: a folder that has a summary has all that the summary speaks of.
        summary = self._summary(status, distances)
        for name, found in summary.thresholds.items():
            say(f"threshold of {name}: {threshold_words(found)}")
        for name, why in summary.no_threshold.items():
            say(f"no threshold of {name}: {why}")
        self.folder.write_summary(summary)
        self.tracking.end(summary)
        write_report(self.folder.path)

    def _summary(self, status: str, distances: Mapping[str, Mapping[str, float]]) -> Summary:
        cfg, distils = self.cfg, self.method.distils
        up = sum(row.bytes_up for row in self.rows)
        model = resolve_name(cfg.model.name, self.plan.feature_shape)
        return Summary(
            strategy=cfg.strategy.name,
            distiller=cfg.distiller.name if distils else "",
            merger=cfg.merger.name if distils else "",
            codec=resolved(cfg.codec, self.plan.feature_shape).name if distils else "",
            model=model,
            data=cfg.data.name,
            partition=cfg.partition.name,
            num_clients=len(self.clients),
            rounds=len(self.rows),
            bytes_up_total=up,
            bytes_down_total=sum(row.bytes_down for row in self.rows),
            bytes_up_per_client=up / max(1, len(self.clients)),
            ipc=cfg.distiller.ipc if distils else 0,
            seconds_total=self._seconds(),
            seed=cfg.seed,
            versions=versions(),
            status=status,
            privacy=self._card(rows=distils).to_dict(),
            distance_per_column=distances,
            notes=self.notes,
            **self.measured.summary(model, self.last, self.by_model, self.choosing),
        )
