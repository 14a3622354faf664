"""`fdd run --resume`: after `kill -9` at any moment the result is that of a run left alone."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fdd_flower.ledger import Ledger
from fdd_flower.ledger.verify import verify

SETTINGS = (
    "--set", "model.name=logistic", "--set", "training.steps=60", "--set", "training.start=warm",
    "--set", "distiller.steps=2", "--set", "distiller.networks=2", "--set", "distiller.width=4",
)  # fmt: skip
RUN = ("run", "--clients", "3", "--rounds", "4", "--in-process", *SETTINGS)
RESULT = ("synthetic.safetensors", "model.safetensors")
LONG = os.environ.get("FDD_LONG_TESTS") == "1"


def result(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in RESULT]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """Return the folder of a run left alone."""
    from typer.testing import CliRunner

    from fdd_flower.cli import app

    folder = tmp_path_factory.mktemp("whole") / "run"
    assert CliRunner().invoke(app, [*RUN, "--out", str(folder)]).exit_code == 0
    return folder


def _kill(folder: Path, words: tuple[object, ...], *, sets: int, delay: float) -> None:
    """Start `fdd` and kill it `delay` seconds after the ledger has `sets` sets.

    Counted in sets, because seconds from the start mean little on a busy machine.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "fdd_flower.cli", *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while process.poll() is None and (
            len(list((folder / "ledger").glob("*.safetensors"))) < sets
            or not (folder / "launch.toml").exists()
        ):
            time.sleep(0.002)
        time.sleep(delay)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _kill_and_resume(fdd, folder: Path, whole: Path, moments: list[tuple[int, float]]) -> None:
    words: tuple[object, ...] = (*RUN, "--out", folder)
    for sets, delay in moments:
        _kill(folder, words, sets=sets, delay=delay)
        words = ("run", "--resume", folder, "--in-process")
    last = fdd(*words)
    assert last.exit_code == 0, last.output
    assert result(folder) == result(whole)
    ledger = Ledger(folder / "ledger")
    assert list(verify(ledger, ledger.entries())) == []
    assert json.loads((folder / "summary.json").read_text())["rounds"] == 4


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_kill_9(fdd, tmp_path, whole):
    draw = random.Random(9)
    _kill_and_resume(fdd, tmp_path / "run", whole, [(draw.randint(4, 9), draw.uniform(0, 0.1))])


@pytest.mark.long
@pytest.mark.skipif(os.name != "posix" or not LONG, reason="minutes; FDD_LONG_TESTS=1")
@pytest.mark.parametrize("seed", range(20))
def test_kill_9_at_many_moments(fdd, tmp_path, whole, seed):
    draw = random.Random(seed)
    counts = sorted(draw.randint(0, 12) for _ in range(draw.randint(1, 4)))
    _kill_and_resume(fdd, tmp_path / "run", whole, [(n, draw.uniform(0, 0.3)) for n in counts])


def test_a_completed_run_is_shown_and_nothing_is_done(fdd, whole):
    folder = whole
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    shown = fdd("run", "--resume", folder, "--in-process")
    assert shown.exit_code == 0
    assert "is complete: there is nothing to resume" in shown.stdout
    assert shown.stdout.splitlines()[-1] == f"pictures and report: {folder}"
    assert json.loads(fdd("run", "--resume", folder, "--json").stdout)["output"] == str(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.fixture
def failed(fdd, tmp_path, monkeypatch) -> Path:
    """Return the folder of a run that ended below its quorum, which nobody foresaw."""
    monkeypatch.setattr("fdd_flower.launch.outline.check_reach", lambda *_: [])
    done = fdd(
        *RUN,
        "--out",
        tmp_path / "run",
        "--set",
        "distiller.min-records=100000",
    )
    assert done.exit_code == 1
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--set", "distiller.ipc=3"), "distiller.ipc: expected 10, as in"),
        (("--set", "seed=1"), "seed: expected 0"),
        (("--rounds", "9"), "num-server-rounds: expected 4"),
        (("--clients", "4"), "--clients: expected as many as the run began with (3)"),
        (("--out", "/tmp/elsewhere"), "--out: expected not together with --resume"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(fdd, failed, words, says):
    before = {path: path.read_bytes() for path in failed.rglob("*") if path.is_file()}
    refused = fdd("run", "--resume", failed, "--in-process", *words)
    assert refused.exit_code == 2
    assert refused.stderr.startswith(f"error: {says}")
    assert refused.stderr.count("\n") == 1
    assert {p: p.read_bytes() for p in failed.rglob("*") if p.is_file()} == before


def test_a_default_may_be_given_back_to_what_may_change(fdd, failed):
    words = ("--in-process", "--set", "strategy.deadline")
    assert fdd("run", "--resume", failed, *words[:2], f"{words[2]}=5").exit_code == 1
    assert "deadline = 5.0" in (failed / "config.toml").read_text()
    assert fdd("run", "--resume", failed, *words[:2], f"{words[2]}=3600").exit_code == 1
    assert "deadline = 3600.0" in (failed / "config.toml").read_text()


def test_a_run_that_was_killed_before_its_server_came_up(fdd, tmp_path, whole):
    folder = tmp_path / "run"
    folder.mkdir()
    text = (whole / "launch.toml").read_text()
    (folder / "launch.toml").write_text(text.replace(str(whole), str(folder)))
    assert fdd("run", "--resume", folder, "--in-process").exit_code == 0
    assert result(folder) == result(whole)


@pytest.mark.parametrize("content", [None, "clients = 3", "{", "clients = 'x'\n[settings]"])
def test_a_folder_without_a_run_is_named(fdd, tmp_path, content):
    if content is not None:
        (tmp_path / "launch.toml").write_text(content)
    refused = fdd("run", "--resume", tmp_path)
    assert refused.exit_code == 2
    assert str(tmp_path) in refused.stderr
    assert refused.stderr.count("\n") == 1
