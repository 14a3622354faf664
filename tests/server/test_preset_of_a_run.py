"""A preset that a run config leaves open is filled by the server, and clients follow its word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fdd_flower.config import NONE, Config, from_run_config, to_run_config
from fdd_flower.launch.in_process import run_in_process
from fdd_flower.launch.prepare import prepare
from fdd_flower.launch.progress import Progress
from fdd_flower.run_folder.load import load_run
from fdd_flower.run_folder.resume import resumed_settings
from tests.server.test_resume import start

OPEN: dict[str, Any] = {
    "preset": "tiny",
    "num-server-rounds": 1,
    "data.name": "npz",
    "partition.name": "iid",
    "model.name": "logistic",
    "distiller.steps": 1,
    "distiller.networks": 1,
    "training.steps": 3,
}


def test_flowers_run_and_fdds_are_one_and_a_resumed_one_keeps_what_was_chosen(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 255, (96, 16, 16), np.uint8), np.arange(96) % 2
    np.savez(tmp_path / "small.npz", x=images, y=labels)
    given = OPEN | {"data.path": str(tmp_path / "small.npz")}

    first = tmp_path / "flower"
    start(to_run_config(Config()) | given | {"output.dir": str(first)})
    begun, about = prepare(given | {"output.dir": str(tmp_path / "fdd")}, 3, in_process=True)
    assert about[-1].startswith("preset tiny: distiller.bytes = 8000, ")
    assert run_in_process(begun, Progress()).completed
    one, two = load_run(first), load_run(tmp_path / "fdd")
    assert one.summary.codec == two.summary.codec == "avif"
    assert one.config.preset == two.config.preset == NONE
    assert one.config.distiller == two.config.distiller
    for name in ("synthetic.safetensors", "model.safetensors"):
        assert (first / name).read_bytes() == (tmp_path / "fdd" / name).read_bytes()

    assert one.config.distiller.bytes == 8_000
    cfg = resumed_settings(from_run_config({"resume": str(first)}))
    assert replace(cfg, resume="") == one.config
