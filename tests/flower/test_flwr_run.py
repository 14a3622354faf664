"""One real `flwr run` in simulation, beside the same run in this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner

import fdd_flower
from fdd_flower.cli import app
from fdd_flower.launch.flower.processes import with_variable
from fdd_flower.run_folder.run_dir import MODEL, SUMMARY, SYNTHETIC

SETTINGS = (
    "--clients", "3", "--rounds", "1", "--set", "seed=5", "--set", "model.name=logistic",
    "--set", "distiller.steps=4", "--set", "distiller.width=8", "--set", "training.steps=40",
)  # fmt: skip
ROOT = Path(fdd_flower.__file__).parent.parent


MARK = "FDD_TEST_MARK"


def fdd_run(folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `fdd run` into `folder` from a working folder that holds nothing of its own."""
    folder.parent.mkdir(exist_ok=True)
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from fdd_flower.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, "run", *SETTINGS, "--out", str(folder)],
        cwd=folder.parent,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.mark.flower
def test_a_real_run_gives_what_the_run_in_process_gives(tmp_path):
    real, local = tmp_path / "runs" / "real", tmp_path / "runs" / "local"
    mark = uuid4().hex
    # tmp_path is too long for Ray's sockets, and the launcher would go elsewhere
    with tempfile.TemporaryDirectory(prefix="t") as temporary:
        done = fdd_run(real, {MARK: mark, "TMPDIR": temporary})
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.splitlines()[-1] == f"pictures and report: {real}"
        assert with_variable(MARK, mark) == []
        assert not list(Path(temporary).glob("fdd-*"))
    assert {path.name for path in real.parent.iterdir()} == {"real"}
    assert "flower.log" not in {path.name for path in real.iterdir()}

    here = CliRunner().invoke(app, ["run", *SETTINGS, "--out", str(local), "--in-process"])
    assert here.exit_code == 0, here.output
    for name in (SYNTHETIC, MODEL):
        assert (real / name).read_bytes() == (local / name).read_bytes()
    summaries = [json.loads((folder / SUMMARY).read_text()) for folder in (real, local)]
    assert summaries[0]["accuracy"] == summaries[1]["accuracy"]
    assert summaries[0]["bytes_up_total"] > 0
