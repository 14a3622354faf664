"""The federated bench: names of cuts and methods, rows from runs, tables, plots, going on."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

from fdd_flower.bench.federated import cell as cells
from fdd_flower.bench.federated import run as bench_run
from fdd_flower.bench.federated.gain import AHEAD, OPEN, gains
from fdd_flower.bench.federated.gain_plot import draw_gains
from fdd_flower.bench.federated.methods import Method, named_methods, read_methods, read_options
from fdd_flower.bench.federated.plot import BYTES, SECONDS, draw
from fdd_flower.bench.federated.rows import Row, failed, row_of
from fdd_flower.bench.federated.settings import Cell, Federated, check
from fdd_flower.bench.federated.splits import settings_of
from fdd_flower.bench.federated.spread import interval
from fdd_flower.bench.federated.table import header, line, markdown, plain
from fdd_flower.bench.folder import toml
from fdd_flower.client.side import new_model
from fdd_flower.config import Config, nested, to_run_config, with_preset
from fdd_flower.errors import ConfigError
from fdd_flower.server.checks import check_components, check_method
from tests.bench.conftest import run_here
from tests.conftest import blobs, plan_for
from tests.report.samples import make_row, make_summary

PUBLISHED = Path(__file__).parents[2] / "benchmarks" / "federated"
QUICK = {
    "num-server-rounds": 1,
    "model.name": "logistic",
    "training.steps": 5,
    "distiller.name": "random",
    "distiller.ipc": 1,
}


def bench(**changes: Any) -> Federated:
    values: dict[str, Any] = {
        "methods": (Method("mine", {}), Method("fedavg", {"strategy.name": "fedavg"})),
        "splits": ("iid", "classes-2"),
        "seeds": (0, 1),
        "clients": 4,
        "data": {"digits": {"data.name": "digits"}},
        "common": QUICK,
    }
    return Federated(**values | changes)


def rows() -> list[Row]:
    found = []
    for seed, share in ((0, 0.8), (1, 0.9)):
        curve = [(share - 0.1, 1e3, 1.0), (share, 2e3, 3.0)]
        found.append(
            Row(
                method="mine",
                split="iid",
                seed=seed,
                model="cnn",
                accuracy=share,
                best=share,
                by_model={"convnet": share + 0.05},
                rounds=2,
                bytes_up=2e3,
                bytes_down=1e6,
                seconds_clients=2.0,
                seconds_server=1.0,
                seconds=9.0,
                curve=curve,
            )
        )
    return [*found, Row(method="other", split="iid", seed=0, error="no | memory")]


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("iid", {"partition.name": "iid"}),
        ("dirichlet-0.01", {"partition.name": "dirichlet", "partition.alpha": 0.01}),
        ("balanced-0.1", {"partition.name": "balanced", "partition.alpha": 0.1}),
        ("classes-3", {"partition.name": "classes", "partition.classes-per-client": 3}),
        ("pathological-2", {"partition.name": "pathological", "partition.classes-per-client": 2}),
        (
            "shards-2+quantity-1+shift",
            {
                "partition.name": "shards",
                "partition.shards-per-client": 2,
                "partition.quantity": 1.0,
                "partition.shift": "images",
            },
        ),
        ("iid+quantity", {"partition.name": "iid", "partition.quantity": 0.5}),
    ],
)
def test_the_name_of_a_cut_says_its_settings(split: str, expected: dict) -> None:
    assert settings_of(split) == expected


@pytest.mark.parametrize(
    "split",
    ["", "dirichlet", "iid-3", "classes-x", "dirichlet--1", "dirichlet-0", "iid+else", "shift"],
)
def test_another_name_is_refused(split: str) -> None:
    with pytest.raises(ConfigError, match="--splits"):
        settings_of(split)


def test_methods_are_tables_strategies_or_distillers(tmp_path: Path) -> None:
    file = tmp_path / "methods.toml"
    file.write_text('["8 kB"]\ndistiller.bytes = 8000\nnum-server-rounds = 1\n[fedprox]\n')
    mine, prox, krum, dc = named_methods(("8 kB", "fedprox", "krum", "dc"), read_methods(file))
    assert mine.settings == {"distiller.bytes": 8000, "num-server-rounds": 1}
    assert prox.settings == {}  # the file goes first
    assert krum.settings == {"strategy.name": "krum"}
    assert dc.settings == {"strategy.name": "fdd", "distiller.name": "dc"}


def test_all_methods_of_a_file_share_a_table_below_their_own(tmp_path: Path) -> None:
    file = tmp_path / "methods.toml"
    file.write_text("[a]\ndistiller.ipc = 1\n[all]\ndistiller.ipc = 2\ndistiller.steps = 3\n[b]\n")
    found = {name: method.settings for name, method in read_methods(file).items()}
    assert found == {
        "a": {"distiller.ipc": 1, "distiller.steps": 3},
        "b": {"distiller.ipc": 2, "distiller.steps": 3},
    }


def test_the_command_line_stands_above_what_all_methods_share_and_below_their_own(
    tmp_path: Path,
) -> None:
    file = tmp_path / "methods.toml"
    file.write_text("[a]\ndistiller.ipc = 1\n[all]\ndistiller.ipc = 2\ndistiller.steps = 3\n[b]\n")
    said = read_methods(file, {"distiller.ipc": 4, "distiller.steps": 5})
    assert {name: method.settings for name, method in said.items()} == {
        "a": {"distiller.ipc": 1, "distiller.steps": 5},
        "b": {"distiller.ipc": 4, "distiller.steps": 5},
    }


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[a", "readable TOML"),
        ("", "a table of settings"),
        ("a = 1", "a table of settings"),
        ("[all]\ndistiller.ipc = 1", "a table of settings for each method"),
        ("[all]\ndistiller.ipcs = 1\n[a]", "method all: run config key"),
        ('["a, b"]', "without a comma"),
        ("[a]\ndistiller.ipc = 'x'", r"method a: distiller\.ipc"),
        ("[a]\ndistiller.ipcs = 1", "method a: run config key"),
    ],
)
def test_a_file_of_methods_that_is_none_is_refused(tmp_path: Path, text: str, match: str) -> None:
    file = tmp_path / "methods.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=match):
        read_methods(file)


def test_a_method_goes_before_what_is_common_and_a_split_before_both() -> None:
    own = bench(methods=(Method("mine", {"distiller.ipc": 7}),), threads=3, holdout=True)
    cfg = own.settings(Cell(method="mine", data="digits", split="classes-2", seed=5))
    assert (cfg.distiller.ipc, cfg.training.steps, cfg.seed) == (7, 5, 5)
    assert (cfg.partition.name, cfg.partition.classes_per_client) == ("classes", 2)
    assert (cfg.runtime.server_threads, cfg.data.holdout) == (3, 0.1)


def test_all_of_a_seed_comes_before_the_next_seed() -> None:
    order = [(cell.seed, cell.split, cell.method) for cell in bench().cells()]
    assert order == sorted(order, key=lambda one: (one[0], one[1] != "iid", one[2] != "mine"))
    assert len(order) == 8


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"methods": (Method("a b", {}), Method("a-b", {}))}, "--methods.*twice"),
        ({"common": {"partition.alpha": 1.0}}, "--splits"),
        ({"methods": (Method("a", {"seed": 1}),)}, "--seeds"),
        ({"seeds": ()}, "--seeds"),
    ],
)
def test_what_an_option_says_is_no_setting(changes: dict, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        bench(**changes)


def test_what_does_not_fit_is_told_before_any_run() -> None:
    with pytest.raises(ConfigError, match="method mine on digits, iid, distiller"):
        check(bench(common=QUICK | {"distiller.name": "nonsense"}))


def test_a_row_sums_rounds_and_counts_a_client() -> None:
    made = [
        make_row(
            n, accuracy=a, bytes_up=800, bytes_down=400, seconds_distill_max=2.0, seconds_train=1.0
        )
        for n, a in ((1, 0.7), (2, 0.6))
    ]
    row = row_of(
        Cell(method="m", data="digits", split="iid", seed=3),
        make_summary(num_clients=4, accuracy=0.6, rounds=2, accuracy_by_model={"cnn": 0.5}),
        made,
    )
    assert (row.accuracy, row.best, row.by_model) == (0.6, 0.7, {"cnn": 0.5})
    assert (row.bytes_up, row.bytes_down) == (400, 200)
    assert list(row.curve) == [(0.7, 200, 3.0), (0.6, 400, 6.0)]
    assert (row.seconds_clients, row.seconds_server) == (4.0, 2.0)


def test_a_rare_class_has_its_metric_first(tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "metric": "auroc",
        "accuracy": 0.95,
        "accuracy_by_model": {"cnn": 0.5},
        "metrics": {"auroc": 0.7512, "brier": float("nan")},
        "metrics_by_model": {"cnn": {"auroc": 0.6}},
    }
    made = [make_row(n, metrics={"auroc": a}) for n, a in ((1, 0.8), (2, 0.75))]
    summary = make_summary(num_clients=4, **changes)
    row = row_of(Cell(method="m", data="digits", split="iid", seed=3), summary, made)
    assert (row.best, row.metrics) == (0.8, {"auroc": 0.7512})
    assert [point[0] for point in row.curve] == [0.8, 0.75]
    lines = plain(
        [], [row, failed(Cell(method="n", data="digits", split="iid", seed=3), "no")]
    ).splitlines()
    assert lines[3].split()[:5] == ["method", "AUROC", "cnn", "accuracy", "best"]
    assert lines[5].split()[:6] == ["m", "0.751", "cnn", "0.600", "95.0", "0.800"]
    assert "m, digits, iid, seed 3: cnn AUROC 0.751, 95.0%, cnn 0.600" in line(row)
    draw([row], "rare", tmp_path / "a.png", against=BYTES)
    assert (tmp_path / "a.png").exists()


def test_tables_have_means_and_spreads_and_say_what_failed() -> None:
    head = header(bench())
    text, marked = plain(head, rows()), markdown(head, rows())
    assert "85.0 ±63.5 cnn" in text  # 12.706 x 7.071 / sqrt(2)
    assert "90.0 ±63.5" in text  # of the other model
    assert "2.00 kB" in text
    assert "other, iid, seed 0 failed: no | memory" in text
    table = [line for line in marked.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert "failed" in table[-1]


def test_plots_are_drawn_and_nothing_is_drawn_of_nothing(tmp_path: Path) -> None:
    for against in (BYTES, SECONDS):
        draw(rows(), "title", tmp_path / f"{against}.png", against=against)
        assert (tmp_path / f"{against}.png").read_bytes().startswith(b"\x89PNG")
    draw(rows()[-1:], "title", tmp_path / "none.png", against=BYTES)
    assert not (tmp_path / "none.png").exists()


def test_an_interval_is_that_of_students_t() -> None:
    values = [81.0, 84.5, 83.2, 80.1]
    mean, half = interval(values)
    low, high = scipy.stats.t.interval(
        0.95, 3, loc=np.mean(values), scale=scipy.stats.sem(np.array(values))
    )
    assert (mean - half, mean + half) == pytest.approx((low, high))  # type: ignore[operator]
    assert interval([7.0]) == (7.0, None)


def compared() -> list[Row]:
    """Return rows of a method that is two points and a bit ahead by `cnn`, on two data sets."""
    found = []
    for data, ahead in (("one", (0.02, 0.03, 0.025)), ("two", (0.02, -0.03, 0.01))):
        for seed, more in enumerate(ahead):
            for method, distiller, share in (("a", "dm", 0.8 + more), ("b", "random", 0.8)):
                found.append(
                    Row(
                        method=method,
                        data=data,
                        split="iid",
                        seed=seed,
                        model="cnn",
                        strategy="fdd",
                        distiller=distiller,
                        accuracy=share,
                        best=share,
                        by_model={"convnet": share} if seed else {},
                        rounds=1,
                        bytes_up=2e3 if method == "a" else 1e3,
                        bytes_down=1e3,
                        seconds_clients=2.0,
                        seconds_server=1.0,
                        seconds=9.0,
                    )
                )
    return [*found, Row(method="a", data="one", split="iid", seed=9, error="no memory")]


def test_a_gain_is_by_seed_and_ahead_only_outside_its_interval(tmp_path: Path) -> None:
    found = gains(compared(), [("a", "b"), ("a", "absent")])
    assert [(g.cut, g.model, g.seeds) for g in found] == [
        ("one, iid", "cnn", 3),
        ("one, iid", "convnet", 2),  # a seed counts where both have the model
        ("two, iid", "cnn", 3),
        ("two, iid", "convnet", 2),
    ]
    first = found[0]
    test = scipy.stats.ttest_rel([0.82, 0.83, 0.825], [0.8, 0.8, 0.8]).confidence_interval()
    assert (first.gain, first.half) == pytest.approx((2.5, 50 * (test.high - test.low)))
    assert [g.verdict for g in found] == [AHEAD, OPEN, OPEN, OPEN]
    assert (first.kind, first.bytes_up, first.bytes_beside) == ("random", 2e3, 1e3)
    text = plain([], compared(), [("a", "b")])
    assert text.index("\none, iid\n") < text.index("one, iid: gain") < text.index("\ntwo, iid\n")
    assert "+2.5 ±1.2" in text
    draw_gains(found, "gains", tmp_path / "gain.png")
    assert (tmp_path / "gain.png").read_bytes().startswith(b"\x89PNG")


def test_a_file_says_what_stands_beside_what_and_the_benchs_own_options(tmp_path: Path) -> None:
    file = tmp_path / "methods.toml"
    file.write_text(
        '[bench]\ndata = "digits,wine"\nclients = 4\n[a]\nbeside = "b, c"\n[b]\n[c]\nseed = 1\n'
    )
    assert read_options(file) == {"data": "digits,wine", "clients": "4"}
    found = read_methods(file)
    assert {name: method.beside for name, method in found.items()} == {
        "a": ("b", "c"),
        "b": (),
        "c": (),
    }
    both = bench(methods=(found["a"], found["b"]), data={"digits": {}, "wine": {}})
    assert both.pairs() == (("a", "b"),)
    assert both.place(next(both.cells())) == "digits/iid/a-seed0"
    for text in ("beside = 'd'\n[b]", "beside = 'a'", "beside = 3", "[bench]\ncolour = 'red'"):
        file.write_text(f"[a]\n{text}\n")
        with pytest.raises(ConfigError):
            (read_options if "bench" in text else read_methods)(file)


def test_a_preset_is_left_open_for_the_run(tmp_path: Path) -> None:
    small = bench(common={"preset": "tiny"}, methods=(Method("mine", {"codec.quality": 40}),))
    cell = next(small.cells())
    assert "distiller.bytes" not in small.given(cell)
    assert small.settings(cell).preset == "tiny"
    older = {f"common.{key}": value for key, value in to_run_config(Config()).items()}
    del older["common.preset"]
    (tmp_path / "config.toml").write_text(toml(nested({**small.flat(), **older})))
    lacking = (tmp_path / "config.toml").read_text().replace('preset = "tiny"\n', "")
    (tmp_path / "config.toml").write_text(lacking)
    bench_run.check_path(tmp_path, bench(common={"preset": "none"}, methods=small.methods))
    with pytest.raises(ConfigError, match="preset"):
        bench_run.check_path(tmp_path, small)


@pytest.mark.parametrize("file", sorted(PUBLISHED.glob("*.toml")), ids=lambda path: path.stem)
def test_the_settings_of_published_tables_are_accepted(file: Path) -> None:
    table = bench(methods=tuple(read_methods(file).values()), common={}, seeds=(0,))
    plan = plan_for(blobs(shape=(1, 28, 28)))
    for cell in table.cells():
        cfg = with_preset(
            table.settings(cell), shape=plan.feature_shape, classes=10, given=table.given(cell)
        ).config
        check_method(check_components(cfg), cfg, plan, new_model(cfg, plan))


@pytest.mark.parametrize(("silence", "shown"), [(0.0, 2), (1e6, 1)])
def test_a_run_that_takes_long_shows_what_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silence: float, shown: int
) -> None:
    said: list[str] = []
    monkeypatch.setattr(cells, "SILENCE", silence)
    words = [sys.executable, "-c", "print('begun'); print('round 1/1: accuracy 0.5')"]
    monkeypatch.setattr(cells, "_command", lambda bench, cell, folder: words)
    small = bench(methods=(Method("mine", {}),), splits=("iid",), seeds=(0,))
    cells._run(small, next(iter(small.cells())), tmp_path / "run", say=said.append)
    assert len(said) == shown
    assert said[-1].endswith("round 1/1: accuracy 0.5")


def test_a_bench_runs_goes_on_and_tells_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_here(monkeypatch)
    said: list[str] = []
    small = bench(methods=(Method("mine", {}),), splits=("iid",), seeds=(0,))
    (row,) = bench_run.run(small, tmp_path / "out", say=said.append)
    assert not row.error
    assert row.accuracy is not None
    assert row.accuracy > 0.1
    assert (tmp_path / "out" / "runs" / "iid" / "mine-seed0" / "report.html").exists()

    # stopped while others are made: the row that is there stays
    def stopped(bench: Federated, cell: Cell, folder: Path, *, say: Any) -> Row:
        if cell.method == "two":
            raise KeyboardInterrupt
        return row if cell.method == "mine" else failed(cell, "no time")

    three = (Method("one", {}), Method("two", {}), *small.methods)
    other = shutil.copytree(tmp_path / "out", tmp_path / "other")
    stops = bench(methods=three, splits=("iid",), seeds=(0,))
    with monkeypatch.context() as patch:
        patch.setattr(bench_run, "run_cell", stopped)
        with pytest.raises(KeyboardInterrupt):
            bench_run.run(stops, other, say=said.append)
    found = json.loads((other / "rows.json").read_text())
    assert [one["method"] for one in found] == ["one", "mine"]

    # a second method that cannot be run; the first is not run again
    monkeypatch.setattr(Federated, "given", lambda bench, cell: {"distiller.ipc": 0})
    larger = bench(methods=(*small.methods, Method("bad", {})), splits=("iid",), seeds=(0,))
    again, bad = bench_run.run(larger, tmp_path / "out", say=said.append)
    assert again == row
    assert "distiller.ipc" in bad.error
    found = json.loads((tmp_path / "out" / "rows.json").read_text())
    assert [one["method"] for one in found] == ["mine", "bad"]
    changed = bench(methods=(Method("mine", {"distiller.ipc": 2}),), splits=("iid",), seeds=(0,))
    for other in (changed, bench(clients=5)):
        with pytest.raises(ConfigError, match="same settings"):
            bench_run.check_path(tmp_path / "out", other)
    with pytest.raises(ConfigError, match="holds a bench"):
        bench_run.check_path(tmp_path / "new", small, resume=True)
