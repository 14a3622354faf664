"""What tests of the bench share: small settings, and distillations in this process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fdd_flower.bench.distil import sets
from fdd_flower.bench.distil.message import Made, load_made
from fdd_flower.bench.distil.settings import Bench
from fdd_flower.bench.distil.worker import work
from fdd_flower.bench.job import Job
from fdd_flower.config import Config, DataConfig, DistillerConfig, TrainingConfig


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Do every distillation here, which saves the seconds of a start; return the jobs done."""
    jobs: list[Job] = []

    def here(job: Job) -> Made:
        jobs.append(job)
        work(job).save(Path(job.out))
        return load_made(Path(job.out))

    monkeypatch.setattr(sets, "spawn", here)
    return jobs


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
