"""One run of the bench: `fdd run` in its own process; a killed one is resumed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import tomli_w

from fdd_flower.bench.federated.rows import Row, failed, row_of
from fdd_flower.bench.federated.settings import Cell, Federated
from fdd_flower.bench.progress import Say
from fdd_flower.bench.spawn import environment
from fdd_flower.config import nested
from fdd_flower.launch.begun import LAUNCH
from fdd_flower.report.units import one_line
from fdd_flower.run_folder.load import load_run
from fdd_flower.run_folder.rows import COMPLETED
from fdd_flower.run_folder.run_dir import RunDir

SHOWN = " accuracy "  # in the lines of a run that tell a result
SILENCE = 30.0  # seconds after which any line of a run is shown
WORDS = 300  # characters of a failed run's last line


def run_cell(bench: Federated, cell: Cell, folder: Path, *, say: Say) -> Row:
    """Return the row of `cell`, from its folder if its run is complete, else after it.

    A run that refuses or breaks down gives a row with its error.
    """
    if RunDir(folder).status() != COMPLETED:
        error = _run(bench, cell, folder, say=say)
        if error:
            return failed(cell, error)
    found = load_run(folder)
    return row_of(cell, found.summary, found.rows)


def _run(bench: Federated, cell: Cell, folder: Path, *, say: Say) -> str:
    """Run `cell`, or resume it; return why it failed, or nothing."""
    process = subprocess.Popen(
        _command(bench, cell, folder),
        env=environment(bench.threads),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    last: deque[str] = deque(maxlen=1)
    told = time.monotonic()
    try:
        for line in _lines(process):
            last.append(line)
            if SHOWN in line or time.monotonic() - told > SILENCE:
                told = time.monotonic()
                say(f"  {cell}, {line}")
    except BaseException:  # stopped: so is the run, which is resumed next time
        process.terminate()
        process.wait()
        raise
    if process.wait() == 0:
        return ""
    return one_line(last[0].removeprefix("error: ") if last else "it said nothing", WORDS)


def _command(bench: Federated, cell: Cell, folder: Path) -> list[str]:
    """Return what begins the run of `cell`, its settings written down, or resumes it."""
    words = [sys.executable, "-m", "fdd_flower.cli", "run", "--in-process"]
    if (folder / LAUNCH).exists():
        words += ["--resume", str(folder)]
    else:
        shutil.rmtree(folder, ignore_errors=True)  # it was killed before it began
        folder.parent.mkdir(parents=True, exist_ok=True)
        config = folder.with_name(f"{folder.name}.toml")
        # what is given and no more: a preset fills in the rest
        config.write_text(tomli_w.dumps(nested(bench.given(cell))), encoding="utf-8")
        words += ["--clients", str(bench.clients), "--config", str(config), "--out", str(folder)]
    return words


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout is not None  # it is a pipe
    for line in process.stdout:
        if line.strip():
            yield line.strip()
