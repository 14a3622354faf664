"""The load bench itself: one number of clients after another, each in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fdd_flower.bench.job import REFUSED
from fdd_flower.bench.load.rows import Row
from fdd_flower.bench.load.settings import Load
from fdd_flower.bench.load.table import header, line, markdown, plain
from fdd_flower.bench.load.worker import Job
from fdd_flower.bench.progress import Say
from fdd_flower.bench.rows import to_json
from fdd_flower.bench.spawn import environment, last_words
from fdd_flower.config import to_run_config
from fdd_flower.errors import ConfigError
from fdd_flower.run_folder.files import write_atomic

ROWS, TABLE, MARKDOWN, PLOT = "rows.json", "table.txt", "table.md", "memory.png"


def check(path: Path) -> None:
    """Refuse a folder that holds something; makes nothing.

    Raises
    ------
    ConfigError
        If so.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ConfigError(
            f"--out {path}",
            expected="a new or empty folder",
            got="one that holds files" if path.is_dir() else "a file",
            remedy="Name another folder with --out; nothing was written.",
        )


def run(load: Load, path: Path, *, say: Say) -> list[Row]:
    """Measure every number of clients; what is there so far is in the folder `path`.

    Raises
    ------
    ConfigError
        If the folder cannot be used.
    """
    check(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"--out {path}",
            expected="a folder that can be written",
            got=error.strerror or str(error),
            remedy="Name another folder with --out.",
        ) from error
    rows: list[Row] = []
    for clients in load.clients:
        rows.append(_measured(load, clients, path))
        say(line(rows[-1]))
        _write(load, rows, path)
    return rows


def _measured(load: Load, clients: int, path: Path) -> Row:
    # on the disk of the results, as a run's ledger is
    with tempfile.TemporaryDirectory(prefix=".ledger-", dir=path) as folder:
        job = Job(
            clients=clients,
            kilobytes=load.kilobytes,
            settings=to_run_config(load.cfg),
            folder=folder,
        )
        return spawn(job)


def spawn(job: Job) -> Row:
    """Do `job` in a process of its own and return its row, with the error if it failed."""
    done = subprocess.run(
        [sys.executable, "-m", "fdd_flower.bench.load.worker"],
        input=job.to_json(),
        capture_output=True,
        text=True,
        errors="replace",
        env=environment(int(job.settings["runtime.server-threads"])),
        check=False,
    )
    return replace(Row(clients=job.clients, codec=str(job.settings["codec.name"])), **_told(done))


def _told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    if done.returncode in (0, REFUSED):
        return json.loads(done.stdout.splitlines()[-1])
    return {"error": last_words(done.returncode, done.stderr)}


def _write(load: Load, rows: list[Row], path: Path) -> None:
    write_atomic(path / ROWS, to_json(rows))
    head = header(load)
    write_atomic(path / TABLE, plain(head, rows).encode())
    write_atomic(path / MARKDOWN, markdown(head, rows).encode())
    if find_spec("matplotlib"):
        from fdd_flower.bench.load.plot import draw

        draw(rows, head[0], path / PLOT)
