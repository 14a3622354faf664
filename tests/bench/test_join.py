"""Rows of several benches in one table: nothing is lost, and no run counts twice."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from fdd_flower.bench.federated.rows import Row

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


def saved(path: Path, *runs: tuple[str, str]) -> str:
    rows = [
        Row(
            method=method,
            split=split,
            seed=0,
            model="cnn",
            accuracy=0.9,
            best=0.9,
            rounds=1,
            bytes_up=1e3,
            bytes_down=1e3,
            seconds_clients=1.0,
            seconds_server=1.0,
            seconds=2.0,
            by_model={"convnet": 0.95},
            curve=[(0.9, 1e3, 1.0)],
        )
        for method, split in runs
    ]
    path.write_text(json.dumps([asdict(row) for row in rows]))
    return str(path)


def join(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    monkeypatch.setattr(sys, "argv", ["join.py", *words])
    import join as script  # type: ignore[import-not-found]

    script.main()


def test_rows_of_two_benches_share_a_table_and_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = saved(tmp_path / "one.json", ("mine", "iid"))
    two = saved(tmp_path / "two.json", ("fedavg", "iid"), ("mine", "classes-1"))
    pairs = tmp_path / "pairs.toml"
    pairs.write_text('[mine]\nbeside = "fedavg"\n[fedavg]\n')
    out = str(tmp_path / "both-0.5")
    join(monkeypatch, one, two, "--out", out, "--config", str(pairs))
    assert len(json.loads((tmp_path / "both-0.5.json").read_text())) == 3
    text = (tmp_path / "both-0.5.md").read_text()
    assert text.startswith("### iid")
    assert text.count("| mine | 90.0 cnn | 95.0 |") == 2
    assert text.count("| mine | fedavg | cnn | +0.0 |") == 1
    for picture in ("both-0.5.png", "both-0.5-time.png", "both-0.5-gain.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")


def test_two_rows_of_a_run_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = saved(tmp_path / "one.json", ("mine", "iid"))
    with pytest.raises(SystemExit, match="mine"):
        join(monkeypatch, one, one, "--out", str(tmp_path / "both"))
    assert not (tmp_path / "both.json").exists()


@pytest.mark.parametrize("text", ["", "{}", '[{"accuracy": 1}]', "[1]"])
def test_a_file_without_rows_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "one.json").write_text(text)
    with pytest.raises(SystemExit, match=r"one\.json"):
        join(monkeypatch, str(tmp_path / "one.json"), "--out", str(tmp_path / "both"))
    with pytest.raises(SystemExit, match=r"none\.json"):
        join(monkeypatch, str(tmp_path / "none.json"), "--out", str(tmp_path / "both"))
