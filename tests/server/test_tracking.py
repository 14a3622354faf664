"""`output.track`: what a tracker holds is what the rounds were, and a broken one ends no run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from fdd_flower.config import Config, OutputConfig
from fdd_flower.errors import ConfigError
from fdd_flower.server import tracking
from fdd_flower.server.checks import check_components
from fdd_flower.server.tracking import Tracking, check_track
from tests.cli.conftest import QUICK, fdd  # noqa: F401 (a fixture)
from tests.report.samples import make_row, make_summary

ROWS = [make_row(number, accuracy=0.25 * number, loss=math.nan) for number in (1, 2, 3)]


def config(track: str) -> Config:
    return Config(output=OutputConfig(track=track))


@pytest.fixture(autouse=True)
def _no_server(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return what TensorBoard's own reader finds."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {
        tag: [(one.step, one.value) for one in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def metrics(folder: Path) -> tuple[dict[str, list[tuple[int, float]]], Any]:
    """Return what MLflow's own client finds, and its run."""
    pytest.importorskip("mlflow")
    from mlflow import MlflowClient  # pyright: ignore[reportMissingImports]

    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow' / 'mlflow.db'}")
    (experiment,) = client.search_experiments(filter_string="name = 'fdd-flower'")
    (run,) = client.search_runs([experiment.experiment_id])
    found = {
        name: sorted((m.step, m.value) for m in client.get_metric_history(run.info.run_id, name))
        for name in run.data.metrics
    }
    return found, run


@pytest.mark.parametrize(("name", "read"), [("tensorboard", scalars), ("mlflow", metrics)])
def test_rounds_come_back_also_after_a_kill(tmp_path, capfd, name, read):
    pytest.importorskip(name)
    first = Tracking(config(name), tmp_path)
    first.round(ROWS[0])
    found = read(tmp_path)  # as it happens, not at the end
    assert (found if name == "tensorboard" else found[0])["accuracy"] == [(1, 0.25)]
    first.round(ROWS[1])
    # killed here, before its round was in the checkpoint; the resumed run does the round again
    again = Tracking(config(name), tmp_path, ROWS[:1])
    again.round(ROWS[1])
    again.round(ROWS[2])
    again.end(make_summary(rounds=3, accuracy_by_model={"mlp": 0.5}))
    assert capfd.readouterr() == ("", "")  # nothing of a tracker's own on the console
    found = read(tmp_path)
    values = found if name == "tensorboard" else found[0]
    assert sorted(set(values["accuracy"])) == [(1, 0.25), (2, 0.5), (3, 0.75)]
    assert values["bytes_up"][0] == (1, 1000.0)
    assert "loss" not in values  # it was not finite
    assert "epsilon" not in values  # there was none
    if name == "mlflow":
        run = found[1]
        assert run.info.status == "FINISHED"
        assert run.data.params["distiller.name"] == "dm"
        assert "output.dir" not in run.data.params
        assert values["accuracy_of_mlp"] == [(3, 0.5)]
    else:
        assert len(values["accuracy"]) == 3
        assert values["accuracy_by_model/mlp"] == [(3, 0.5)]


def test_a_run_tells_its_rounds(fdd, tmp_path):  # noqa: F811
    pytest.importorskip("tensorboard")
    out = tmp_path / "run"
    done = fdd("run", *QUICK, "--set", "output.track=tensorboard", "--out", out)
    assert done.exit_code == 0, done.output
    assert "warning" not in done.output
    row = json.loads((out / "rounds.jsonl").read_text())
    assert scalars(out)["loss"] == [(1, pytest.approx(row["loss"]))]


def test_a_tracker_that_fails_is_left_out(tmp_path, monkeypatch):
    pytest.importorskip("tensorboard")
    blocked, told = tmp_path / "blocked", []
    blocked.write_text("no folder")
    monkeypatch.setattr(tracking, "say", told.append)
    broken = Tracking(config("tensorboard"), blocked)
    for row in ROWS:
        broken.round(row)
    broken.end(make_summary())
    (line,) = told
    assert line.startswith("warning: tensorboard no longer follows this run: ")

    class Full:
        def round(self, row):
            raise OSError("disk full")

    half = Tracking(config("tensorboard"), tmp_path / "run")
    half._trackers["tensorboard"] = Full()  # pyright: ignore[reportArgumentType]
    half.round(ROWS[0])
    half.round(ROWS[1])
    assert len(told) == 2
    assert "OSError: disk full" in told[1]


@pytest.mark.parametrize("track", ["wandb", "mlflow,mlflow", "tensorboard,", " "])
def test_names_that_are_not_known(track):
    with pytest.raises(ConfigError, match="tensorboard, mlflow"):
        check_components(config(track))


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    assert check_track("") == []
    with pytest.raises(ConfigError, match=r"pip install 'fdd-flower\[mlflow\]'"):
        check_components(config("mlflow"))
