"""MLflow: a SQLite store in the folder `mlflow` of the run, or what MLFLOW_TRACKING_URI names."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path

from fdd_flower.config import Config
from fdd_flower.run_folder.files import write_atomic
from fdd_flower.run_folder.rows import RoundRow, Summary
from fdd_flower.server.tracking.base import measures, tracked_settings

FOLDER = "mlflow"
STORE = "mlflow.db"
RUN_ID = "run-id"  # so that a resumed run goes on in the same one
EXPERIMENT = "fdd-flower"
_MOST_PARAMS = 100  # in one request


class MLflow:
    """Metrics by the names of `rounds.jsonl`, a step a round; the settings as parameters."""

    def __init__(self, cfg: Config, folder: Path, rows: Sequence[RoundRow]) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow import MlflowClient  # pyright: ignore[reportMissingImports]

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._folder = folder / FOLDER
        self._folder.mkdir(exist_ok=True)
        uri = os.environ.get("MLFLOW_TRACKING_URI", "")
        self._client = MlflowClient(tracking_uri=uri or f"sqlite:///{self._folder / STORE}")
        kept = self._folder / RUN_ID
        if kept.exists():
            self._run = kept.read_text().strip()
            self._client.update_run(self._run, status="RUNNING")
        else:
            self._run = self._new_run(
                cfg, folder.name, local="MLFLOW_TRACKING_URI" not in os.environ
            )
            write_atomic(kept, self._run.encode())
        known = {one.step for one in self._client.get_metric_history(self._run, "replies")}
        for row in rows:
            if row.round not in known:
                self.round(row)

    def _new_run(self, cfg: Config, name: str, *, local: bool) -> str:
        from mlflow.entities import Param  # pyright: ignore[reportMissingImports]

        wanted = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        found = self._client.get_experiment_by_name(wanted)
        artifacts = (self._folder / "artifacts").as_uri() if local else None
        experiment = (
            found.experiment_id
            if found
            else self._client.create_experiment(wanted, artifact_location=artifacts)
        )
        run = self._client.create_run(experiment, run_name=name).info.run_id
        params = [Param(key, str(value)) for key, value in tracked_settings(cfg).items()]
        for first in range(0, len(params), _MOST_PARAMS):
            self._client.log_batch(run, params=params[first : first + _MOST_PARAMS])
        return run

    def round(self, row: RoundRow) -> None:
        """Write a round."""
        self._write(measures(row), row.round)

    def end(self, summary: Summary) -> None:
        """Write the other models' accuracy and the status."""
        others = {
            "accuracy_of_" + re.sub(r"[^\w.-]", "-", name): share
            for name, share in summary.accuracy_by_model.items()
        }
        self._write(others, summary.rounds)
        self._client.set_tag(self._run, "status", summary.status[:500])
        status = "FINISHED" if summary.completed else "FAILED"
        self._client.set_terminated(self._run, status=status)

    def _write(self, values: dict[str, float], step: int) -> None:
        from mlflow.entities import Metric  # pyright: ignore[reportMissingImports]

        now = int(1000 * time.time())
        metrics = [Metric(name, value, now, step) for name, value in values.items()]
        self._client.log_batch(self._run, metrics=metrics)


def open_tracker(cfg: Config, folder: Path, rows: Sequence[RoundRow]) -> MLflow:
    """Return the tracker of a run."""
    return MLflow(cfg, folder, rows)
