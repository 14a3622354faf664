"""The bench of load: a small round through the real server, and what it says of the goals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fdd_flower.bench.load import run as bench
from fdd_flower.bench.load.rows import Row
from fdd_flower.bench.load.settings import Load, config_from
from fdd_flower.bench.load.table import goal, line, markdown, plain
from fdd_flower.bench.load.traffic import SHAPE, Traffic
from fdd_flower.bench.load.worker import Job, measure
from fdd_flower.config import Config, to_run_config
from fdd_flower.distillers.parts.packing import Packing
from fdd_flower.ledger import content_hash
from fdd_flower.mergers.class_balanced import ClassBalanced
from fdd_flower.wire.codecs.base import CODECS

OPTIONS = ("--out", "--clients", "--kilobytes", "--set", "--json")
GOOD = Row(
    clients=1000,
    codec="uint8",
    bytes=77_600,
    rows=96_000,
    seconds=59.9,
    seconds_accept=40.0,
    seconds_merge=19.9,
    pool_mb=300.0,
    base_mb=400.0,
    peak_mb=1000.0,
)


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "spawn", measure)


def job(folder: Path, clients: int = 3, kilobytes: float = 9.0, **settings: object) -> Job:
    flat = to_run_config(Config()) | {k.replace("__", "."): v for k, v in settings.items()}
    return Job(clients=clients, kilobytes=kilobytes, settings=flat, folder=str(folder))  # type: ignore[arg-type]


def test_a_row_is_of_the_merged_set_of_all_clients(tmp_path: Path) -> None:
    row = measure(job(tmp_path, distiller__packing=1))
    traffic = Traffic(Load(clients=(3,), kilobytes=9.0, cfg=Config()))
    codec, parts = CODECS.get("uint8")(Config().codec), []
    for client in range(3):
        arrays = codec.encode(traffic.set_of(client, traffic.rows))
        parts.append(codec.decode(arrays, feature_shape=SHAPE, num_classes=10))
    merged = ClassBalanced(Config().merger).merge(parts, rng=torch.Generator())
    assert row.digest == content_hash(merged)
    assert row.rows == len(merged) == 3 * traffic.rows
    assert row.pool_mb == pytest.approx(len(merged) * (784 + 10 + 1) * 4 / 1e6)
    assert row.bytes == pytest.approx(9000, rel=0.1)
    both = (row.seconds_accept or 0) + (row.seconds_merge or 0)
    assert row.seconds == pytest.approx(both, abs=0.002)  # each is rounded
    assert not row.error


def test_packed_rows_are_unpacked_as_a_run_unpacks_them(tmp_path: Path) -> None:
    plain_row, packed = (measure(job(tmp_path / str(n), distiller__packing=n)) for n in (1, 2))
    assert packed.rows == Packing(2, "dct").cells * (plain_row.rows or 0)


@pytest.mark.parametrize("codec", ["float32", "avif"])
def test_a_reply_has_about_the_bytes_that_were_asked_for(codec: str) -> None:
    cfg = config_from([("codec.name", codec)])
    traffic = Traffic(Load(clients=(2,), kilobytes=60.0, cfg=cfg))
    arrays = traffic.codec.encode(traffic.set_of(1, traffic.rows))
    assert sum(a.nbytes for a in arrays.values()) == pytest.approx(60_000, rel=0.15)


def test_what_is_said_of_the_goals() -> None:
    slow, large = replace(GOOD, seconds=60.1), replace(GOOD, peak_mb=1001.0)
    assert goal([GOOD]).endswith("both held")
    assert goal([GOOD, slow]).endswith("missed in time")
    assert goal([slow, large]).endswith("missed in time and memory")
    for other in (
        replace(GOOD, clients=999),
        replace(GOOD, bytes=50_000),
        Row(clients=1000, codec="uint8", error="it broke"),
    ):
        assert goal([other]).endswith("not measured")
    assert "59.9 s, within 60 s" in line(GOOD)
    assert "2.00 times the pool of 300 MB, within 2" in line(GOOD)
    assert "ABOVE 60 s" in line(slow)
    assert "ABOVE 2" in line(large)


def test_tables_name_what_failed() -> None:
    rows = [GOOD, Row(clients=7, codec="uint8", error="it broke")]
    for table in (plain(["head"], rows), markdown(["head"], rows)):
        assert "59.9" in table
        assert "7 clients: failed: it broke" in table


def test_a_process_that_fails_is_a_row_with_the_error(tmp_path: Path) -> None:
    (tmp_path / "warm-up").touch()  # where the ledger's folder is to be
    row = bench.spawn(job(tmp_path, clients=5))
    assert row.clients == 5
    assert "a disk that takes the reply" in row.error


def test_help_names_every_option_and_has_an_example(fdd, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shown = fdd("bench", "load", "--help").stdout
    assert all(option in shown for option in OPTIONS)
    assert "Example: fdd bench load" in shown


@pytest.mark.usefixtures("in_process")
def test_a_bench_of_load_ends_in_tables_a_plot_and_its_folder(fdd, tmp_path, monkeypatch) -> None:
    out = tmp_path / "out"
    result = fdd("bench", "load", "--clients", "2,3", "--kilobytes", "4", "--out", out)
    assert result.exit_code == 0
    assert "not measured" in result.stdout
    assert result.stdout.splitlines()[-1].endswith(str(out))
    assert {p.name for p in out.iterdir()} == {
        "config.toml",
        "rows.json",
        "table.txt",
        "table.md",
        "memory.png",
    }
    again = fdd(
        "bench",
        "load",
        "--clients",
        "2,3",
        "--kilobytes",
        "4",
        "--json",
        "--out",
        tmp_path / "again",
    )
    first, second = json.loads((out / "rows.json").read_text()), json.loads(again.stdout)
    assert [row["digest"] for row in first] == [row["digest"] for row in second]
    assert [row["clients"] for row in second] == [2, 3]
    monkeypatch.setattr(bench, "spawn", lambda job: replace(GOOD, clients=job.clients))
    more = fdd("bench", "load", "--clients", "2,4", "--kilobytes", "4", "--json", "--out", out)
    assert more.exit_code == 2  # a bench keeps what it has
    more = fdd("bench", "load", "--clients", "2,3,4", "--kilobytes", "4", "--json", "--out", out)
    assert json.loads(more.stdout)[:2] == first
    assert json.loads(more.stdout)[2]["clients"] == 4


def test_a_failed_row_is_exit_status_1(fdd, tmp_path, monkeypatch) -> None:
    broken = Row(clients=2, codec="uint8", error="it broke")
    monkeypatch.setattr(bench, "spawn", lambda _job: broken)
    result = fdd("bench", "load", "--clients", "2", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "it broke" in result.stdout


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--clients", "1"), "--clients: expected numbers from 2"),
        (("--clients", "100001"), "--clients"),
        (("--clients", "10,10"), "10 twice"),
        (("--clients", "ten"), "--clients"),
        (("--clients", ""), "--clients"),
        (("--kilobytes", "0.5"), "--kilobytes: expected a number from 2"),
        (("--kilobytes", "nan"), "--kilobytes"),
        (("--set", "codec.name=nope"), "codec.name"),
        (("--set", "merger.name=nope"), "merger.name"),
        (("--set", "scoring.mode=score"), "--set scoring.mode: expected one of codec.name"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(fdd, tmp_path, words, named) -> None:
    result = fdd("bench", "load", "--out", tmp_path / "out", *words)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert named in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_in_use_is_left_alone(fdd, tmp_path) -> None:
    (tmp_path / "mine").touch()
    result = fdd("bench", "load", "--out", tmp_path)
    assert result.exit_code == 2
    assert (
        "expected a new or empty folder, or that of a bench; got one that holds other files"
        in result.stderr
    )
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]
