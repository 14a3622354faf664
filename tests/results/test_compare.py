"""`fdd compare`: what differs is shown, what does not is left out, and bad input ends before."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from fdd_flower.config import Config, DistillerConfig, OutputConfig
from fdd_flower.run_folder.run_dir import RunDir
from tests.report.samples import CLASSES, NORMALISATION, make_row, make_set, make_summary

Leave = Callable[..., Path]


@pytest.fixture
def leave(tmp_path) -> Leave:
    """Return a function that leaves a finished run called `name` and returns its folder."""

    def make(name: str, *, ipc: int = 10, epsilon: float | None = None, **facts: object) -> Path:
        run = RunDir.create(tmp_path / name)
        output = OutputConfig(dir=str(run.path))
        run.write_config(Config(distiller=DistillerConfig(ipc=ipc), output=output))
        for number in (1, 2):
            run.append_round(make_row(number, accuracy=0.3 * number, epsilon=epsilon))
        run.write_synthetic(make_set(), CLASSES, NORMALISATION)
        run.write_summary(make_summary(**facts))
        return run.path

    return make


def test_runs_stand_side_by_side(fdd, leave):
    runs = leave("one", ipc=5), leave("two", accuracy=0.5, bytes_up_per_client=2_000_000.0)
    shown = fdd("compare", *runs).stdout
    lines = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line.strip()}
    assert lines["accuracy"] == ["75.0%", "50.0%"]
    assert lines["distiller.ipc"] == ["5", "10"]
    for absent in ("output.dir", "seed", "epsilon", "status"):
        assert absent not in shown
    assert "2.00 MB" in shown


def test_json_holds_the_numbers_and_what_differs(fdd, leave):
    runs = leave("one", ipc=5, epsilon=1.5), leave("two", accuracy=float("nan"))
    first, second = json.loads(fdd("compare", *runs, "--json").stdout)["runs"]
    assert first["run"] == str(runs[0])
    assert first["settings"] == {"distiller.ipc": 5}
    assert (first["epsilon"], second["epsilon"]) == (1.5, None)
    assert (first["accuracy"], second["accuracy"]) == (0.75, None)
    assert first["bytes_up_total"] == 2000
    assert "1.500" in fdd("compare", *runs).stdout


def test_a_failed_run_is_told_apart(fdd, leave):
    shown = fdd("compare", leave("a/run"), leave("b/run", status="failed: [red]no[/red]")).stdout
    assert "failed: [red]no[/red]" in shown
    assert "a/run" in shown  # the names of the folders alone would be one


def test_the_plot_is_a_picture(fdd, leave, tmp_path):
    plot = tmp_path / "plot.png"
    result = fdd("compare", leave("$a$_{"), leave("b", num_clients=0), "--out", plot)
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith(f"plot: {plot}\n")
    with Image.open(plot) as picture:
        assert min(picture.size) > 400


@pytest.mark.parametrize(
    ("out", "complaint"),
    [
        ("plot.jpg", "ends in .png; got .jpg"),
        ("taken.png", "a new file"),
        ("missing/plot.png", "a folder that exists"),
    ],
)
def test_a_plot_that_cannot_be_left(fdd, leave, tmp_path, out, complaint):
    (tmp_path / "taken.png").write_text("mine")
    result = fdd("compare", leave("a"), leave("b"), "--out", tmp_path / out)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert (tmp_path / "taken.png").read_text() == "mine"
    assert not (tmp_path / "missing").exists()


def test_runs_that_cannot_be_compared(fdd, leave, tmp_path):
    run = leave("a")
    for others, complaint in (((), "two runs"), ((run,), "each run once"), (("no",), "run 'no'")):
        result = fdd("compare", run, *others)
        assert result.exit_code == 2
        assert complaint in result.stderr
