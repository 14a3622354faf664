"""The load bench itself: one number of clients after another, each in its own process."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from fdd_flower.bench.folder import ROWS, check_folder, claim_folder, write_results
from fdd_flower.bench.load.rows import Row
from fdd_flower.bench.load.settings import Load
from fdd_flower.bench.load.table import header, line, markdown, plain
from fdd_flower.bench.load.worker import Job
from fdd_flower.bench.progress import Say, one_by_one
from fdd_flower.bench.rows import from_json
from fdd_flower.bench.spawn import DiedError, ask
from fdd_flower.config import to_run_config
from fdd_flower.errors import FddError

PLOT = "memory.png"
LISTS = ("bench.clients",)


def check(load: Load, path: Path, *, resume: bool = False) -> None:
    """Refuse a folder that this bench may not use; makes nothing.

    Raises
    ------
    ConfigError
        If so.
    """
    check_folder(path, load.flat(), lists=LISTS, resume=resume)


def run(load: Load, path: Path, *, say: Say) -> list[Row]:
    """Measure each number of clients that has no good row in the folder `path`; return all rows.

    Raises
    ------
    FddError
        If the folder cannot be used.
    """
    check(load, path)
    claim_folder(path, load.flat(), folders=())
    return one_by_one(
        load.clients,
        lambda clients: _measured(load, clients, path),
        done=_kept(load, path),
        kind=str,
        keep=lambda rows: _write(load, rows, path),
        line=line,
        say=say,
    )


def _kept(load: Load, path: Path) -> dict[int, Row]:
    """Return the good rows of an earlier start, by their number of clients."""
    if not (path / ROWS).exists():
        return {}
    found = from_json((path / ROWS).read_bytes(), Row, where=str(path / ROWS))
    return {row.clients: row for row in found if row.clients in load.clients and not row.error}


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
    row = Row(clients=job.clients, codec=str(job.settings["codec.name"]))
    threads = int(job.settings["runtime.server-threads"])
    try:
        return replace(row, **ask("fdd_flower.bench.load.worker", job.to_json(), threads=threads))
    except (FddError, DiedError) as error:
        return replace(row, error=str(error))


def _write(load: Load, rows: list[Row], path: Path) -> None:
    head = header(load)
    write_results(path, rows, plain=plain(head, rows), markdown=markdown(head, rows))
    if find_spec("matplotlib"):
        from fdd_flower.bench.load.plot import draw

        draw(rows, head[0], path / PLOT)
