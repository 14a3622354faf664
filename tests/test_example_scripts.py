"""The notebook and the scripts of `examples/` run, and leave what they say."""

from __future__ import annotations

import importlib
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient
from PIL import Image

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(autouse=True)
def _on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    importlib.invalidate_caches()


def test_the_notebook_runs_and_shows_what_it_makes(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLES.parent))  # of the kernel
    notebook = nbformat.read(EXAMPLES / "quickstart.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # committed without outputs
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [output["data"] for output in outputs if "data" in output]
    assert sum("image/png;base64" in data.get("text/html", "") for data in shown) == 2
    assert any(data["text/plain"].startswith("accuracy ") for data in shown)
    assert any(data["text/plain"].startswith("Run(fdd on digits") for data in shown)
    told = [output for output in outputs if output["output_type"] == "stream"]
    assert {output["name"] for output in told} == {"stdout"}
    lines = "".join(output["text"] for output in told)
    assert "round 1/1: accuracy" in lines
    assert "INFO" not in lines


def test_hospitals_export_a_table_with_the_columns_of_theirs(tmp_path, capsys):
    importlib.import_module("hospital_table").main(["--demo", "--out", str(tmp_path)])
    synthetic = pd.read_csv(tmp_path / "synthetic.csv")
    real = pd.read_csv(tmp_path / "demo" / "north.csv")
    assert set(synthetic.columns) == {*real.columns, "weight"}
    assert set(synthetic["diagnosis"]) == {"benign", "malignant"}
    # in the units of the data
    inside = synthetic["mean radius"].between(real["mean radius"].min(), 30)
    assert inside.mean() > 0.9
    assert "together: 9" in capsys.readouterr().out


def test_images_leave_a_picture_and_a_prediction(tmp_path, capsys):
    arguments = ["--demo", "--steps", "40", "--distiller-steps", "3", "--out", str(tmp_path)]
    importlib.import_module("image_folder").main(arguments)
    assert Image.open(tmp_path / "synthetic.png").format == "PNG"
    shares = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  digit")]
    assert len(shares) == 3


def test_a_fleet_sends_a_fraction_of_its_recordings(tmp_path, capsys):
    arguments = ["--demo", "--steps", "100", "--distiller-steps", "3", "--out", str(tmp_path)]
    importlib.import_module("device_fleet").main(arguments)
    lines = capsys.readouterr().out.splitlines()
    shares = [line for line in lines if line.startswith(("  idle", "  running", "  worn"))]
    assert len(shares) == 3
    sent = next(line for line in lines if line.startswith("what it sent"))
    assert float(sent.split()[3]) < 4
    assert (tmp_path / "run" / "report.html").is_file()
