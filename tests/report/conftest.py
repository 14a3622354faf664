"""A finished run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fdd_flower.config import Config
from fdd_flower.ledger import Ledger
from fdd_flower.run_folder.run_dir import LEDGER, RunDir
from tests.report.samples import (
    CLASSES,
    HOSTILE,
    NORMALISATION,
    SCHEMA,
    make_row,
    make_set,
    make_summary,
)


@pytest.fixture
def finished(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that leaves a finished run and returns its folder."""

    def leave(**summary: object) -> Path:
        run = RunDir.create(tmp_path / "run")
        run.write_config(Config(seed=7))
        for number in (1, 2):
            run.append_round(make_row(number))
        run.write_synthetic(make_set(), CLASSES, NORMALISATION)
        run.write_schema(SCHEMA)
        run.write_model({"layer.weight": torch.arange(6.0).view(2, 3)})
        ledger = Ledger(run.path / LEDGER)
        ledger.record(make_set(), client="a", round=1, plan="p", num_bytes=10)
        reason = f"inputs: {HOSTILE} \ud800"
        ledger.reject(
            client=HOSTILE, round=1, plan="p", code="not-finite", reason=reason, num_bytes=5
        )
        run.write_summary(make_summary(**summary))
        return run.path

    return leave
