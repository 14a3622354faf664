"""What tests of the bench share: small settings, and distillations in this process."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from fdd_flower.bench.distil import sets
from fdd_flower.bench.distil.message import Made, load_made
from fdd_flower.bench.distil.settings import Bench
from fdd_flower.bench.distil.worker import work
from fdd_flower.bench.federated import cell
from fdd_flower.bench.job import Job
from fdd_flower.cli import app
from fdd_flower.config import Config, DataConfig, DistillerConfig, TrainingConfig


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Do every distillation here, which saves the seconds of a start; return the jobs done."""
    return distil_here(monkeypatch)


def distil_here(patch: pytest.MonkeyPatch) -> list[Job]:
    """Do every distillation in this process; see `in_process`."""
    jobs: list[Job] = []

    def here(job: Job) -> Made:
        jobs.append(job)
        work(job).save(Path(job.out))
        return load_made(Path(job.out))

    patch.setattr(sets, "spawn", here)
    return jobs


class Here:
    """Stands for `subprocess.Popen`: `fdd` in this process, which saves the seconds of a start."""

    def __init__(self, words: list[str], **_: object) -> None:
        assert words[:3] == [sys.executable, "-m", "fdd_flower.cli"]
        done = CliRunner().invoke(app, words[3:])
        self.stdout = iter(done.output.splitlines())
        self._status = done.exit_code

    def wait(self) -> int:
        """Return the exit status."""
        return self._status


def run_here(patch: pytest.MonkeyPatch) -> None:
    """Do every run of the federated bench here."""
    here = SimpleNamespace(Popen=Here, DEVNULL=None, PIPE=None, STDOUT=None)
    patch.setattr(cell, "subprocess", here)


def small(**values: Any) -> Bench:
    """Return a bench of seconds on the digits."""
    cfg = Config(
        data=DataConfig(name="digits"),
        distiller=DistillerConfig(steps=3, networks=1, width=4),
        training=TrainingConfig(steps=5, batch_size=16),
    )
    wanted: dict[str, Any] = {
        "cfg": cfg,
        "distillers": ("dm",),
        "ipcs": (2,),
        "seeds": (0,),
        "models": ("logistic", "ridge"),
        "full_steps": 5,
    }
    return Bench(**(wanted | values))


def with_distiller(bench: Bench, **values: Any) -> Bench:
    """Return `bench` with other settings of the distillers."""
    part = replace(bench.cfg.distiller, **values)
    return replace(bench, cfg=replace(bench.cfg, distiller=part))
