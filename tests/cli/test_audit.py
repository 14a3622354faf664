"""`fdd audit`: figures, a page, pictures, an exit status; and a run of one's own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fdd_flower.audit import run as whole
from fdd_flower.audit import self_check
from fdd_flower.audit.released import rows
from fdd_flower.data import load_dataset
from fdd_flower.distillers.random import RandomRecords
from tests.cli.conftest import QUICK

SETTINGS = ("distiller.networks=1", "distiller.width=4", "distiller.min-records=4",
            "model.name=logistic")  # fmt: skip
GIVEN = tuple(word for setting in SETTINGS for word in ("--set", setting))
SMALL = ("audit", "--canaries", "100", "--quick", "--jobs", "1", "--json", *GIVEN)


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "CLAIMS", (10.0,))
    monkeypatch.setattr(self_check, "CLASSES", 500)
    quick = replace(whole.QUICK, shadows=2, shadowed=("raw-copy",), batches=(1,), inversion_steps=2)
    monkeypatch.setattr(whole, "QUICK", quick)
    monkeypatch.setattr(rows, "PLAIN", replace(rows.PLAIN, steps=5))


@pytest.mark.usefixtures("_short")
def test_an_audit_leaves_figures_a_page_and_pictures(fdd, tmp_path: Path):
    out = tmp_path / "audit"
    targets = "raw-copy,fedavg,dp-moments-epsilon-1,kmeans,dm@distiller.min-records=90"
    result = fdd(*SMALL, "--targets", targets, "--out", out)
    assert result.exit_code == 0, result.output
    found = json.loads((out / "audit.json").read_text())
    assert json.loads(result.stdout) == found
    by_name = {row["name"]: row for row in found["findings"]}
    assert list(by_name) == targets.split(",")
    assert by_name["raw-copy"]["copies"]["copies"] == 1
    assert by_name["raw-copy"]["flags"] == ["sends real records, as it says"]
    assert by_name["kmeans"]["copies"]["copies"] == 0
    assert by_name["fedavg"]["rows"] is None
    assert (
        by_name["dp-moments-epsilon-1"]["epsilon"]
        < by_name["dp-moments-epsilon-1"]["claim"]["epsilon"]
    )
    assert "min-records" in by_name["dm@distiller.min-records=90"]["failed"]
    assert {check["fault"] for check in found["checks"]} == set(self_check.FAULTS)
    page = (out / "audit.md").read_text()
    assert all(name in page for name in by_name)
    assert (out / "roc.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.stem for path in (out / "pairs").iterdir()) == [
        "dp-moments-epsilon-1",
        "kmeans",
        "raw-copy",
    ]


@pytest.mark.usefixtures("_short")
def test_a_distiller_that_copies_and_does_not_say_so_fails_the_audit(fdd, tmp_path, monkeypatch):
    monkeypatch.setattr(RandomRecords, "sends_real", False)
    result = fdd(*SMALL, "--targets", "random", "--out", tmp_path / "audit")
    assert result.exit_code == 1, result.output
    (row,) = json.loads(result.stdout)["findings"]
    assert row["flags"] == ["copies records"]


@pytest.mark.usefixtures("_short")
def test_an_audit_that_does_not_find_a_fault_fails(fdd, tmp_path, monkeypatch):
    faults = {"a tenth of the noise": self_check.Fault(noise=1.0)}  # in truth none
    monkeypatch.setattr(self_check, "FAULTS", faults)
    result = fdd(*SMALL, "--targets", "raw-copy", "--out", tmp_path / "audit")
    assert result.exit_code == 1, result.output
    assert "wrong about a tenth of the noise" in result.stderr


def test_a_run_of_ones_own_is_attacked_with_the_records_that_were_in(fdd, tmp_path: Path):
    from fdd_flower.config import from_run_config

    run = tmp_path / "run"
    assert fdd("run", *QUICK, "--out", run).exit_code == 0
    train = load_dataset(from_run_config({}).data, seed=0).train
    records = tmp_path / "records.npz"
    np.savez(records, x=train.inputs, y=train.labels)
    result = fdd("audit", run, "--records", records, "--out", tmp_path / "audit", "--json")
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)["findings"]
    assert row["copies"]["copies"] == 1  # `random` sends real records
    assert row["epsilon"] is None
    assert (tmp_path / "audit" / "pairs" / "run.png").exists()


TINY = ("--in-process", "--clients", "2", "--rounds", "1", *GIVEN, "--set", "training.steps=2",
        "--set", "partition.name=iid", "--set", "distiller.name=random")  # fmt: skip


def test_records_are_read_as_the_runs_clients_have_them(fdd, tmp_path: Path):
    rng = np.random.default_rng(0)
    series, table = tmp_path / "walks.npz", tmp_path / "rows.tsv"
    labels = np.arange(120) % 2
    walks = rng.normal(size=(120, 1, 32)) + labels[:, None, None]
    np.savez(series, x=walks.astype(np.float32), y=labels)
    lines = [f"{rng.normal() + label:.3f}\t{'ny'[label]}" for label in labels]
    table.write_text("\n".join(["a\tlabel", *lines]))
    for records, name in ((series, "series"), (table, "table")):
        source = ("--set", f"data.name={name}", "--set", f"data.path={records}")
        own = ("--set", "data.window=16") if name == "series" else ()
        run = tmp_path / name
        assert fdd("run", *TINY, *source, *own, "--out", run).exit_code == 0
        result = fdd("audit", run, "--records", records, "--out", tmp_path / "a", "--json")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["findings"][0]["nearest_auc"] is not None


@pytest.mark.parametrize("words", [("--records", "x.npz"), ("latest",), ("--targets", "nothing")])
def test_half_a_question_is_refused_before_work(fdd, tmp_path: Path, words):
    result = fdd("audit", *words, "--out", tmp_path / "audit")
    assert result.exit_code == 2
    assert not (tmp_path / "audit").exists()
