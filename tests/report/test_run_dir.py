"""The folder of a run: where, never over another run, whole files, equal bytes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from fdd_flower.config import Config, DataConfig, keys
from fdd_flower.errors import ConfigError, DataError
from fdd_flower.run_folder.rows import RoundRow, Summary
from fdd_flower.run_folder.run_dir import RunDir, resolve
from fdd_flower.run_folder.saved_set import SavedSet
from fdd_flower.run_folder.versions import versions
from tests.report.samples import CLASSES, NORMALISATION, make_row, make_set, make_summary

ROUND_KEYS = [
    "round",
    "accuracy",
    "loss",
    "replies",
    "rejected",
    "bytes_up",
    "bytes_down",
    "seconds_distill_max",
    "seconds_train",
    "epsilon",
    "rejected_codes",
    "metrics",
]
SUMMARY_KEYS = [
    "strategy",
    "distiller",
    "merger",
    "codec",
    "model",
    "data",
    "partition",
    "num_clients",
    "rounds",
    "accuracy",
    "accuracy_per_class",
    "bytes_up_total",
    "bytes_down_total",
    "bytes_up_per_client",
    "ipc",
    "seconds_total",
    "seed",
    "versions",
    "status",
    "accuracy_by_model",
    "privacy",
    "metric",
    "metrics",
    "metrics_per_class",
    "metrics_per_client",
    "metrics_by_model",
    "thresholds",
    "distance_per_column",
    "no_threshold",
    "notes",
]


def test_resolve_takes_the_setting_then_the_variable_then_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("FDD_OUTPUT_DIR", raising=False)
    assert resolve("", "42") == tmp_path / ".fdd-flower" / "runs" / "42"
    monkeypatch.setenv("FDD_OUTPUT_DIR", str(tmp_path / "variable"))
    assert resolve("", "42") == tmp_path / "variable"
    assert resolve(str(tmp_path / "setting"), "42") == tmp_path / "setting"
    assert list(tmp_path.iterdir()) == []


def test_resolve_refuses_a_relative_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"output\.dir.*absolute.*'here/run'"):
        resolve("here/run", "1")
    monkeypatch.setenv("FDD_OUTPUT_DIR", "~/run")
    with pytest.raises(ConfigError, match="FDD_OUTPUT_DIR"):
        resolve("", "1")


def test_create_refuses_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match="file"):
            RunDir.create(path)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_create_refuses_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ConfigError, match="can be written"):
            RunDir.create(tmp_path)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("name", ["rounds.jsonl", "summary.json", "config.toml", "ledger"])
def test_create_refuses_a_folder_with_a_run(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("old")
    with pytest.raises(ConfigError, match=f"{name}.*Name another folder"):
        RunDir.create(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "old"


def test_create_claims_a_folder_once_and_leaves_other_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    RunDir.create(tmp_path)
    with pytest.raises(ConfigError, match=r"rounds\.jsonl"):
        RunDir.create(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_rounds_are_json_lines_with_exactly_these_keys(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path)
    run.append_round(make_row(1))
    run.append_round(make_row(2, loss=float("nan"), epsilon=1.5))
    text = (tmp_path / "rounds.jsonl").read_text()
    assert text.endswith("\n")
    first, second = (json.loads(line) for line in text.splitlines())
    assert list(first) == ROUND_KEYS
    assert first["epsilon"] is None
    assert first["accuracy"] == 0.5
    assert second["loss"] is None
    assert second["epsilon"] == 1.5


def test_summary_is_json_with_exactly_these_keys(tmp_path: Path) -> None:
    summary = make_summary(accuracy_per_class=[0.5, float("nan")], accuracy_by_model={"cnn": 0.25})
    RunDir.create(tmp_path).write_summary(summary)
    found = json.loads((tmp_path / "summary.json").read_text())
    assert list(found) == SUMMARY_KEYS
    assert found["accuracy_per_class"] == [0.5, None]
    assert found["versions"] == {"python": "3.11", "torch": "2.5"}
    assert found["accuracy_by_model"] == {"cnn": 0.25}


def test_metrics_come_back_and_what_is_undefined_is_null(tmp_path: Path) -> None:
    each = {"b": {"recall": 0.5, "auroc": float("nan"), "records": 3}}
    summary = make_summary(metric="auroc", metrics={"auroc": 0.75}, metrics_per_class=each)
    RunDir.create(tmp_path).write_summary(summary)
    text = (tmp_path / "summary.json").read_text()
    assert json.loads(text)["metrics_per_class"] == {"b": {**each["b"], "auroc": None}}
    found = Summary.from_json(text, where="here")
    assert (found.metric, found.metrics) == ("auroc", {"auroc": 0.75})
    assert math.isnan(found.metrics_per_class["b"]["auroc"])
    old = {name: value for name, value in json.loads(text).items() if "metric" not in name}
    assert Summary.from_json(json.dumps(old), where="here").metric == "accuracy"


def test_a_row_comes_back_equal() -> None:
    row = make_row(3, accuracy=0.1 + 0.2)
    assert RoundRow.from_json(row.to_json(), where="here") == row


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{", "expected JSON"),
        ("[1]", "JSON object"),
        (json.dumps({"round": 1}), "accuracy"),
        (json.dumps({**json.loads(make_row().to_json()), "round": "1"}), "round"),
        (json.dumps({**json.loads(make_row().to_json()), "replies": True}), "replies"),
        (json.dumps({**json.loads(make_row().to_json()), "replies": None}), "replies"),
    ],
)
def test_a_broken_row_is_named(text: str, names: str) -> None:
    with pytest.raises(DataError, match=f"line 4.*{names}"):
        RoundRow.from_json(text, where="line 4")


def test_config_holds_every_key_as_used(tmp_path: Path) -> None:
    config = Config(seed=5, data=DataConfig(path='a"b\\c'))
    RunDir.create(tmp_path).write_config(config)
    found = tomllib.loads((tmp_path / "config.toml").read_text())
    assert found["seed"] == 5
    assert found["data"]["path"] == 'a"b\\c'
    named = {name for name in found if not isinstance(found[name], dict)}
    named |= {f"{s}.{name}" for s, t in found.items() if isinstance(t, dict) for name in t}
    assert named == set(keys())


def test_synthetic_holds_tensors_and_one_json_of_facts(tmp_path: Path) -> None:
    set_ = make_set()
    RunDir.create(tmp_path).write_synthetic(set_, CLASSES, NORMALISATION)
    with safe_open(tmp_path / "synthetic.safetensors", framework="np") as file:
        for name in ("inputs", "targets", "weights"):
            assert (file.get_tensor(name) == getattr(set_, name).numpy()).all()
        facts = json.loads(file.metadata()["fdd_flower"])
    assert facts == {
        "version": "1.1",
        "classes": list(CLASSES),
        "normalisation": {"mean": [0.25], "std": [0.5]},
        "meta": {f"key{i}": str(i) for i in range(8)},
    }


def test_synthetic_needs_a_name_a_class(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"2 names.*got 1"):
        RunDir.create(tmp_path).write_synthetic(make_set(), ("one",), NORMALISATION)


def test_model_takes_tied_and_strided_weights(tmp_path: Path) -> None:
    weight = torch.arange(6.0).view(2, 3)
    state = {"a": weight, "tied": weight, "turned": weight.T, "steps": torch.tensor(3)}
    RunDir.create(tmp_path).write_model(state)
    with safe_open(tmp_path / "model.safetensors", framework="np") as file:
        assert {name: file.get_tensor(name).tolist() for name in state} == {
            name: value.tolist() for name, value in state.items()
        }


WRITE = """
import sys, torch
import fdd_flower.ledger, fdd_flower.report.html, fdd_flower.report.table
import fdd_flower.run_folder.versions as software
from fdd_flower.schema import Normalisation
from fdd_flower.run_folder.saved_set import SavedSet
from fdd_flower.synthetic_set import SyntheticSet
facts = [(f"key{i}", str(i)) for i in range(8)]
set_ = SyntheticSet(inputs=torch.arange(12.0).view(2, 6), targets=torch.eye(2),
    weights=torch.ones(2), meta=dict(facts[:: int(sys.argv[1])]))
saved = SavedSet(set=set_, classes=("a", "b"), normalisation=Normalisation(mean=(0.1,), std=(3.,)))
sys.stdout.buffer.write(saved.to_bytes())
software.versions()
# a command line that draws nothing must not wait for matplotlib, nor the core for Flower
assert not {"matplotlib", "flwr"} & set(sys.modules)
"""


def test_the_same_set_gives_the_same_bytes_in_every_process() -> None:
    # the order of the facts and Python's hash seed differ; both at once, as each imports torch
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, order],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
        )
        for order, hash_seed in (("1", "1"), ("-1", "2"))
    ]
    first, second = (process.communicate()[0] for process in processes)
    assert [process.returncode for process in processes] == [0, 0]
    assert len(first) > 100
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()


def test_many_facts_come_in_one_order() -> None:
    # safetensors writes several metadata keys in an order that changes from call to call
    saved = SavedSet(set=make_set(), classes=CLASSES, normalisation=NORMALISATION)
    assert len({saved.to_bytes() for _ in range(20)}) == 1


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDir.create(tmp_path)
    run.write_summary(make_summary(seed=1))

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        run.write_summary(make_summary(seed=2))
    assert json.loads((tmp_path / "summary.json").read_text())["seed"] == 1
    assert {p.name for p in tmp_path.iterdir()} == {"rounds.jsonl", "summary.json"}


def test_versions_name_the_parts_without_importing_flower() -> None:
    found = versions()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert "fdd-flower" in found
    assert list(found) == sorted(found)


def test_rows_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_row().round = 2  # pyright: ignore[reportAttributeAccessIssue]
