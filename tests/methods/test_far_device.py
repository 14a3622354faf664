"""Whole runs on a device that is not the CPU: the same files, bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from fdd_flower import device
from fdd_flower.config import Config, Scalar, to_run_config
from tests.far_device import FAR, far_device
from tests.methods.test_contract import OWN, QUICK
from tests.server.test_resume import METHODS, SETTINGS, result, start

TEACHER: dict[str, Scalar] = {"training.teacher": 0.5, "training.mixup": 0.2}
SKETCH = OWN["sketch"] | {"strategy.name": "sketch", "distiller.steps": 2}
# Every method that does more than average, and all that a run can do beside its method.
CASES: dict[str, dict[str, Scalar]] = {
    "fdd": QUICK | TEACHER,
    "fedprox": QUICK | {"strategy.name": "fedprox"},
    **{
        name: QUICK | OWN.get(name, {}) | {"strategy.name": name}
        for name in ("scaffold", "dynafed", "fedaf", "fedlgd")
    },
    **{name: SETTINGS | METHODS[name] for name in ("global", "peers", "taught")},
    "sketch": QUICK | SKETCH,
    "masked": QUICK
    | SKETCH
    | {"sketch.secure-sum": True, "num-server-rounds": 1, "strategy.quorum": 3},
    "pool": SETTINGS
    | {
        "strategy.pool": "all",
        "merger.name": "redistil",
        "merger.rows": 2,
        "merger.steps": 2,
        "scoring.mode": "score",
        "scoring.quota": 2.0,
    },
}


@pytest.mark.parametrize("name", CASES)
def test_a_run_leaves_the_same_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    here, far = (
        to_run_config(Config()) | CASES[name] | {"output.dir": str(tmp_path / side)}
        for side in ("here", "far")
    )
    start(here, clients=3)
    monkeypatch.setattr(device, "best", lambda: FAR.type)
    monkeypatch.setattr(device, "available", lambda: (device.CPU, FAR.type))
    with far_device() as seen:
        start(far, clients=3)
    assert result(tmp_path / "far") == result(tmp_path / "here") != {}
    # sketches are checked on the CPU, where strangers' bytes stay
    assert name in ("sketch", "masked") or not seen.work_here
    assert seen.far
