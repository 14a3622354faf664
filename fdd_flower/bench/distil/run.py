"""The bench itself: one task after another, so that no timing disturbs another."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from fdd_flower.bench.distil import report
from fdd_flower.bench.distil.measure import (
    cost_line,
    empty_row,
    measured,
    one_line,
    result_of,
    row_line,
    with_costs,
)
from fdd_flower.bench.distil.message import Made, tensor_bytes
from fdd_flower.bench.distil.prepare import prepare
from fdd_flower.bench.distil.recipe import Recipe, as_set
from fdd_flower.bench.distil.scores import scored
from fdd_flower.bench.distil.sets import Found, Sets
from fdd_flower.bench.distil.settings import BASELINES, RIDGE, Bench
from fdd_flower.bench.folder import BenchDir, set_name
from fdd_flower.bench.progress import Progress, Say
from fdd_flower.bench.records import Material
from fdd_flower.bench.rows import BASELINE, DISTILLED, FULL, SUMMED_GRAM, Row, put
from fdd_flower.errors import DistillError
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.threads import threads
from fdd_flower.wire.codecs.base import resolved


def run(bench: Bench, path: Path, *, say: Say, material: Material | None = None) -> list[Row]:
    """Run what is not done yet of `bench` in the folder `path`; return all rows.

    Raises
    ------
    FddError
        If the input is wrong: before any work.
    """
    material = material or prepare(bench)
    folder = BenchDir.open(path, bench)  # its settings are kept as they were given
    shape = material.dataset.feature_shape
    bench = replace(bench, cfg=replace(bench.cfg, codec=resolved(bench.cfg.codec, shape)))
    runner = Runner(bench, folder, material, say)
    with threads(bench.cfg.runtime.server_threads):
        try:
            runner.run()
        finally:
            report.write(runner.folder, bench, material, runner.rows)
    return runner.rows


class Runner:
    """A bench under way."""

    def __init__(self, bench: Bench, folder: BenchDir, material: Material, say: Say) -> None:
        self.bench, self.folder, self.material = bench, folder, material
        self.sets = Sets(bench, folder)
        self.recipe = Recipe(cfg=bench.cfg, test=material.test)
        # what failed is tried again
        self.rows = [row for row in folder.rows() if not row.error]
        self.progress = Progress(_tasks(bench), say)

    def run(self) -> None:
        """Do every task, the distillers' first and the lines to compare them with last."""
        bench = self.bench
        for seed in bench.seeds:
            for ipc in bench.ipcs:
                for distiller in bench.distillers:
                    self._distiller(distiller, ipc, seed)
        for seed in bench.seeds:
            self._summed_gram(seed)
            if bench.full_steps:
                self._full(seed)

    def _distiller(self, name: str, ipc: int, seed: int) -> None:
        """Distil, measure, and put the baselines beside."""
        start = empty_row(name, ipc, seed, DISTILLED, codec=self.bench.cfg.codec.name)
        try:
            found = self.sets.distilled(name, ipc, seed)
        except DistillError as error:
            self._failed(start, error)
            self._keep_last(start)
            for baseline in BASELINES:
                self._skip(_distil(baseline), *self.bench.models)
            return
        start = with_costs(start, found.made)
        self._tell_set(start, found)
        part = self._decoded(found.made)
        report.write_set(
            self.folder,
            self.material.dataset,
            part,
            set_name(name, ipc, seed),
            picture=seed == self.bench.seeds[0],
        )
        self._measure(start, part)
        for baseline in BASELINES:
            self._baseline(baseline, start, found.made)

    def _baseline(self, name: str, against: Row, like: Made) -> None:
        """Measure a baseline of as many bytes as `against`."""
        assert against.bytes is not None  # it was made
        start = empty_row(name, against.ipc, against.seed, BASELINE, codec=against.codec)
        start = replace(start, target=against.bytes, quality=against.quality)
        try:
            found = self.sets.equal(name, against.ipc, against.seed, like=like)
        except DistillError as error:
            self._failed(start, error)
            return
        start = with_costs(replace(start, ipc=found.made.ipc), found.made)
        self._tell_set(start, found)
        self._measure(start, self._decoded(found.made))

    def _measure(self, start: Row, part: SyntheticSet) -> None:
        """Measure every model on `part` that has no good row yet."""
        for row in self._measured_before(start):
            put(self.rows, replace(start, **result_of(row)))
        self._save()
        models = self._missing(start)
        self._skip(*(name for name in self.bench.models if name not in models))
        hard = start.kind == DISTILLED and bool(self.bench.full_steps)
        for row in measured(start, part, self.recipe, models=models, hard=hard):
            self._done(row, row.model)

    def _measured_before(self, start: Row) -> list[Row]:
        """Return the rows of the very same set, such as of a baseline that was asked for too."""
        same = [r for r in self.rows if (r.digest, r.seed) == (start.digest, start.seed)]
        # of soft labels, only a distiller's rows are measured as hard ones too
        enough = [r for r in same if start.kind == BASELINE or r.accuracy_hard is not None]
        return [row for row in enough if not row.error]

    def _summed_gram(self, seed: int) -> None:
        start = empty_row(SUMMED_GRAM, 0, seed, SUMMED_GRAM, codec="float32")
        start = replace(start, model=RIDGE)
        if any(row.key == start.key for row in self.rows):
            self._skip(SUMMED_GRAM)
            return
        started = time.perf_counter()
        found, message = self.recipe.summed_gram(self.material.train, seed=seed)
        row = replace(
            start,
            accuracy=found["accuracy"],
            metric=self.recipe.headline.metric,
            metrics={name: value for name, value in found.items() if math.isfinite(value)},
            bytes=tensor_bytes(message),
            records=len(self.material.train),
            seconds_train=time.perf_counter() - started,
        )
        self._done(row, SUMMED_GRAM)

    def _full(self, seed: int) -> None:
        start = replace(empty_row(FULL, 0, seed, FULL), bytes=self.material.stored_bytes)
        models = self._missing(start)
        self._skip(*(FULL for name in self.bench.models if name not in models))
        recipe = self.recipe.for_all_records(self.bench.full_steps)
        everything = as_set(self.material.train)
        for row in measured(start, everything, recipe, models=models, hard=False):
            self._done(row, FULL)

    def _missing(self, start: Row) -> list[str]:
        done = {row.key for row in self.rows}
        return [m for m in self.bench.models if replace(start, model=m).key not in done]

    def _decoded(self, made: Made) -> SyntheticSet:
        dataset = self.material.dataset
        return made.decode(feature_shape=dataset.feature_shape, num_classes=len(dataset.classes))

    def _done(self, row: Row, kind: str) -> None:
        put(self.rows, row)
        self._save()
        self.progress.done(kind, row.seconds_train or 0.0, row_line(row))

    def _tell_set(self, row: Row, found: Found) -> None:
        kind = _distil(row.distiller)
        if found.seconds:
            self.progress.done(kind, found.seconds, cost_line(row))
        else:
            self._skip(kind)

    def _failed(self, start: Row, error: DistillError) -> None:
        """Write a failed row for every model, and tell it once."""
        self._skip(*self.bench.models)
        for model in self.bench.models:
            put(self.rows, replace(start, model=model, error=one_line(error)))
        self._save()
        line = row_line(replace(start, model="all models", error=one_line(error)))
        self.progress.done(_distil(start.distiller), 0.0, line)

    def _keep_last(self, start: Row) -> None:
        """Keep the last good set of a failed distillation, if there is one."""
        kept = self.sets.take_kept(start.distiller, start.ipc, start.seed)
        if kept is not None:
            name = f"{set_name(start.distiller, start.ipc, start.seed)}-kept"
            part = self._decoded(kept)
            report.write_set(self.folder, self.material.dataset, part, name, picture=False)

    def _skip(self, *kinds: str) -> None:
        for kind in kinds:
            self.progress.skip(kind)

    def _save(self) -> None:
        self.rows = scored(self.rows)
        self.folder.write_rows(self.rows)


def _distil(name: str) -> str:
    return f"distil {name}"


def _tasks(bench: Bench) -> Counter[str]:
    """Count the tasks of each kind."""
    sets = len(bench.distillers) * len(bench.ipcs) * len(bench.seeds)
    tasks: Counter[str] = Counter()
    for name in bench.distillers:
        tasks[_distil(name)] += len(bench.ipcs) * len(bench.seeds)
    for name in BASELINES:
        tasks[_distil(name)] += sets
    for name in bench.models:
        tasks[name] += sets * (1 + len(BASELINES))
    tasks[SUMMED_GRAM] = len(bench.seeds)
    if bench.full_steps:
        tasks[FULL] = len(bench.seeds) * len(bench.models)
    return tasks
