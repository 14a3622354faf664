"""A whole bench: what it leaves, what it skips, what it refuses, what fails."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from fdd_flower.bench.distil.prepare import prepare
from fdd_flower.bench.distil.run import run
from fdd_flower.bench.distil.sets import spawn
from fdd_flower.bench.distil.worker import work
from fdd_flower.bench.folder import toml
from fdd_flower.bench.job import job_for
from fdd_flower.bench.memory import peak_bytes
from fdd_flower.bench.rows import Row
from fdd_flower.config import DistillerConfig
from fdd_flower.errors import ConfigError, DistillError
from fdd_flower.run_folder.saved_set import load_set
from tests.bench.conftest import distil_here, small, with_distiller

FIXED = ["distiller", "model", "ipc", "seed", "accuracy", "seconds", "peak_mb", "bytes"]


@pytest.fixture
def said() -> list[str]:
    return []


@dataclass(frozen=True)
class Done:
    """A bench that was run once for all tests that only look at it."""

    folder: Path
    rows: list[Row]
    said: list[str]
    sizes: list[int]  # of the file of rows whenever something was said


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("bench") / "out"
    file, said, sizes = folder / "rows.json", [], []

    def say(line: str) -> None:
        said.append(line)
        sizes.append(len(file.read_bytes()) if file.exists() else 0)

    with pytest.MonkeyPatch.context() as patch:
        distil_here(patch)
        return Done(folder, run(small(), folder, say=say), said, sizes)


def test_what_a_bench_leaves(done):
    folder, rows, said = done.folder, done.rows, done.said
    found = json.loads((folder / "rows.json").read_text())
    assert all(list(row)[:8] == FIXED for row in found)
    assert len(found) == len(rows) == 2 * 4 + 1 + 2
    distilled = [row for row in found if row["kind"] == "distilled"]
    beside = [row for row in found if row["kind"] == "baseline"]
    assert {row["distiller"] for row in beside} == {"random", "herding", "kmeans"}
    assert all(row["bytes"] == row["target"] == distilled[0]["bytes"] for row in beside)
    for row in distilled:
        assert 0 <= row["accuracy"] <= 1
        random = next(r for r in beside if (r["distiller"], r["model"]) == ("random", row["model"]))
        full = next(r for r in found if r["kind"] == "full" and r["model"] == row["model"])
        assert row["ior"] == pytest.approx(row["accuracy"] - random["accuracy"])
        assert row["hlr"] == pytest.approx(full["accuracy"] - row["accuracy"])
    table = (folder / "table.txt").read_text()
    assert "test split, 360 records" in table
    assert "summed-gram ridge" in table
    for name in ("table.md", "accuracy.png", "pictures/dm-ipc2-seed0.png"):
        assert (folder / name).stat().st_size > 0
    saved = load_set(folder / "sets" / "dm-ipc2-seed0.safetensors")
    assert len(saved.set) == 20
    settings = tomllib.loads((folder / "config.toml").read_text())
    assert settings["bench"]["distillers"] == ["dm"]
    assert settings["training"]["steps"] == 5
    assert "left" in said[0]
    assert said[-1].startswith("[15/15]")


def test_rows_that_are_there_are_not_made_again(in_process, done, tmp_path, said):
    folder = shutil.copytree(done.folder, tmp_path / "out")
    assert run(small(), folder, say=said.append) == done.rows
    assert in_process == []
    assert said == []


def test_one_row_more_is_all_that_is_made(in_process, tmp_path, said):
    first = run(small(models=("logistic",)), tmp_path, say=said.append)
    done = len(in_process)
    said.clear()
    both = run(small(models=("logistic", "ridge")), tmp_path, say=said.append)
    assert len(in_process) == done
    assert len(said) == 4 + 1
    known = {row.key: row.accuracy for row in both}
    assert all(known[row.key] == row.accuracy for row in first)


def test_a_row_is_on_disk_before_the_next_begins(in_process, done, tmp_path):
    assert [bool(size) for size in done.sizes] == [False] + [True] * 14

    class Killed(BaseException):
        pass

    def kill(text: str) -> None:
        if "random ipc 2 seed 0, ridge" in text:
            raise Killed

    with pytest.raises(Killed):
        run(small(), tmp_path / "cut", say=kill)
    left = json.loads((tmp_path / "cut" / "rows.json").read_text())
    assert [(row["distiller"], row["model"]) for row in left] == [
        ("dm", "logistic"),
        ("dm", "ridge"),
        ("random", "logistic"),
        ("random", "ridge"),
    ]
    assert (tmp_path / "cut" / "table.txt").exists()
    whole = run(small(), tmp_path / "cut", say=lambda _: None)
    assert [row.accuracy for row in whole] == [row.accuracy for row in done.rows]


def test_a_folder_of_other_settings_is_refused_by_name(done):
    before = {path: path.stat().st_mtime_ns for path in done.folder.rglob("*")}
    for change, named in (
        ({"single_class": True}, "bench.single-class"),
        ({"holdout": True}, "bench.holdout"),
        ({"full_steps": 6}, "bench.full-steps"),
        ({"distillers": ("kmeans",)}, "bench.distillers"),
    ):
        with pytest.raises(ConfigError, match=named):
            run(small(**change), done.folder, say=print)
    with pytest.raises(ConfigError, match=r"distiller\.steps = 4"):
        run(with_distiller(small(), steps=4), done.folder, say=print)
    assert {path: path.stat().st_mtime_ns for path in done.folder.rglob("*")} == before


def test_a_folder_of_another_version_will_do_where_it_would_do_the_same(in_process, tmp_path):
    bench = small(models=("ridge",), full_steps=0)
    before = run(bench, tmp_path, say=lambda _: None)
    config, jobs = tmp_path / "config.toml", len(in_process)
    text = config.read_text()
    old = text.replace('moments = "deviation"\n', 'levels = "last"\n')  # one added, one removed
    assert old != text
    config.write_text(old)
    assert run(bench, tmp_path, say=lambda _: None) == before
    assert len(in_process) == jobs
    config.write_text(old)
    with pytest.raises(ConfigError, match=r"distiller\.moments = \"mean\"; got .*\"deviation\""):
        run(with_distiller(bench, moments="mean"), tmp_path, say=print)
    config.write_text(old.replace('levels = "last"', 'levels = "all"'))
    with pytest.raises(ConfigError, match=r"without distiller\.levels; got \"all\""):
        run(bench, tmp_path, say=print)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ConfigError, match="other files"):
        run(small(), tmp_path, say=print)


def test_a_baseline_that_is_asked_for_is_measured_once(in_process, tmp_path, said):
    bench = small(distillers=("kmeans",), models=("ridge",), full_steps=0)
    rows = run(bench, tmp_path, say=said.append)
    accuracies = [row.accuracy for row in rows if row.distiller == "kmeans"]
    assert len(accuracies) == 2
    assert accuracies[0] == accuracies[1]
    assert len([line for line in said if "kmeans" in line and "accuracy" in line]) == 1


FAILING = """
from dataclasses import replace
from fdd_flower.distillers.kmeans import KMeansCentres
from fdd_flower.errors import DistillError

class Failing(KMeansCentres):
    def distill(self, data, *, plan, start, rng):
        good = super().distill(data, plan=plan, start=start, rng=rng).synthetic
        error = DistillError("loss", expected="a number", got="nan", remedy="Lower it.")
        error.kept = good
        raise error

"""


def test_a_failed_distillation_is_recorded_and_the_others_go_on(tmp_path, monkeypatch, said):
    (tmp_path / "failing_for_bench.py").write_text(FAILING)
    monkeypatch.syspath_prepend(tmp_path)
    bench = small(distillers=("failing_for_bench:Failing",), models=("ridge",), full_steps=0)
    first, summed = run(bench, tmp_path / "out", say=said.append)
    assert first.error == "loss: expected a number; got nan. Lower it."
    assert first.accuracy is None
    assert summed.accuracy is not None
    kept = tmp_path / "out" / "sets" / "failing_for_bench-Failing-ipc2-seed0-kept.safetensors"
    assert len(load_set(kept).set) == 20
    table = (tmp_path / "out" / "table.txt").read_text()
    assert "failed: loss: expected a number" in table
    assert [list(row)[:8] for row in json.loads((tmp_path / "out" / "rows.json").read_text())] == (
        [FIXED] * 2
    )


def test_what_failed_is_tried_again(in_process, tmp_path, monkeypatch):
    from fdd_flower.bench.distil import sets

    def refuse(job):
        raise DistillError("x", expected="y", got="a\nb", remedy="z.")

    with monkeypatch.context() as patch:
        patch.setattr(sets, "spawn", refuse)
        rows = run(small(), tmp_path, say=lambda _: None)
    errors = {row.error for row in rows if row.kind == "distilled"}
    assert errors == {"x: expected y; got a b. z."}
    assert not any(row.error for row in run(small(), tmp_path, say=lambda _: None))


def test_a_process_of_its_own_gives_the_same_set_and_its_own_costs(tmp_path):
    bench = small()
    values = {"seed": 1, "single_class": False, "holdout": False}
    job = job_for(bench.settings("dm", 2), out=str(tmp_path / "set.npz"), **values)
    there, here = spawn(job), work(job)
    both = [made.decode(feature_shape=(1, 8, 8), num_classes=10) for made in (there, here)]
    assert torch.equal(both[0].inputs, both[1].inputs)
    assert there.seconds > 0
    assert 50 < there.base_mb <= there.peak_mb


def test_a_process_that_broke_down_is_told_by_how_it_ended(tmp_path, monkeypatch):
    values = {"seed": 1, "single_class": False, "holdout": False}
    job = job_for(small().settings("dm", 2), out=str(tmp_path), **values)
    for status, stderr, told in (
        (1, "Traceback\nMemoryError: no more of it\n", "exit status 1: MemoryError: no more of it"),
        (-9, "", "a process ended by SIGKILL, as the system does when memory runs out"),
    ):
        ended = subprocess.CompletedProcess([], status, "", stderr)
        monkeypatch.setattr(subprocess, "run", lambda *_, ended=ended, **__: ended)
        with pytest.raises(DistillError) as broke:
            spawn(job)
        assert (broke.value.what, broke.value.got) == ("process of dm", told)


def test_the_peak_of_a_large_parent_is_not_its_childs(tmp_path):
    ballast = torch.ones(100_000_000)  # 400 MB
    code = "from fdd_flower.bench.memory import peak_bytes; print(peak_bytes())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert peak_bytes() > ballast.nbytes
    assert int(done.stdout) < 200e6


def test_soft_labels_are_measured_as_hard_ones_too(in_process, tmp_path, monkeypatch):
    monkeypatch.setattr("fdd_flower.distillers.parts.labels.TEACHER_STEPS", 20)
    bench = with_distiller(small(models=("ridge",)), labels="local")
    row = run(bench, tmp_path, say=lambda _: None)[0]
    assert row.accuracy_hard is not None
    assert row.hlr is not None


def test_packed_sets_are_unpacked_beside_baselines_packed_alike(in_process, tmp_path):
    bench = with_distiller(small(models=("ridge",), full_steps=0), packing=2)
    rows = run(bench, tmp_path, say=lambda _: None)
    by_name = {row.distiller: row for row in rows}
    assert by_name["dm"].records == 80
    assert by_name["random"].records == 80
    assert by_name["random"].bytes == by_name["dm"].bytes


def test_single_class_is_a_set_a_class(in_process, tmp_path):
    bench = small(models=("ridge",), full_steps=0, single_class=True)
    rows = run(bench, tmp_path, say=lambda _: None)
    assert rows[0].records == 20
    whole = run(small(models=("ridge",), full_steps=0), tmp_path / "whole", say=lambda _: None)
    assert rows[0].bytes is not None
    assert whole[0].bytes is not None
    assert rows[0].bytes > whole[0].bytes  # ten messages have ten headers
    assert "one client per class" in (tmp_path / "table.txt").read_text()


def test_a_setting_counts_for_the_distillers_that_use_it():
    both = with_distiller(small(distillers=("dm", "dsa")), sample=10)
    prepare(both)
    assert both.settings("dm", 2).distiller.sample == 10
    assert both.settings("dsa", 2).distiller.sample == DistillerConfig().sample
    with pytest.raises(ConfigError, match=r"distiller\.sample.*with dsa"):
        prepare(replace(both, distillers=("dsa",)))


def test_toml_is_toml():
    tables = {"a": 1, "t": {"s": 'q"\\é', "f": 1e-05, "b": True, "l": ["x", "y"]}}
    assert tomllib.loads(toml(tables)) == tables
