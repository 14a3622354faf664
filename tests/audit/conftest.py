"""A small audit: blobs of classes, half of them in, and what an attacker knows."""

from __future__ import annotations

import pytest
import torch

from fdd_flower.audit.protocol import Canaries, Known, draw_canaries
from fdd_flower.config import from_run_config
from tests.conftest import blobs, plan_for

SETTINGS = {"distiller.networks": 2, "distiller.width": 8, "model.name": "mlp"}


@pytest.fixture(scope="session")
def small() -> tuple[Canaries, Known]:
    """Return 400 canaries of three classes, and the attacker's knowledge."""
    torch.set_num_threads(1)
    records = blobs(counts=(260, 260, 260))
    drawn, reference = draw_canaries(records, count=400, seed=0)
    return drawn, Known(cfg=from_run_config(SETTINGS), plan=plan_for(records), reference=reference)
