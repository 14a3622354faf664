"""The federated bench itself: one run after another, so that no timing disturbs another."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from fdd_flower.bench.federated.cell import run_cell
from fdd_flower.bench.federated.rows import Row
from fdd_flower.bench.federated.settings import Federated
from fdd_flower.bench.federated.table import header, line, markdown, plain
from fdd_flower.bench.folder import check_folder, claim_folder
from fdd_flower.bench.progress import Progress, Say
from fdd_flower.bench.rows import to_json
from fdd_flower.run_folder.files import write_atomic
from fdd_flower.run_folder.rows import COMPLETED
from fdd_flower.run_folder.run_dir import RunDir

RUNS, ROWS, TABLE, MARKDOWN = "runs", "rows.json", "table.txt", "table.md"
BYTES_PLOT, TIME_PLOT = "accuracy-bytes.png", "accuracy-time.png"
LISTS = ("bench.methods", "bench.splits", "bench.seeds", "methods.")


def check_path(path: Path, bench: Federated, *, resume: bool = False) -> None:
    """Refuse a folder that this bench may not use; makes nothing.

    Raises
    ------
    ConfigError
        If so.
    """
    check_folder(path, bench.flat(), lists=LISTS, resume=resume)


def run(bench: Federated, path: Path, *, say: Say) -> list[Row]:
    """Run what is not done yet of `bench` in the folder `path`; return all rows.

    Raises
    ------
    FddError
        If the folder cannot be used.
    """
    check_path(path, bench)
    claim_folder(path, bench.flat(), folders=(RUNS,))
    cells = list(bench.cells())
    progress = Progress(Counter(cell.method for cell in cells), say)
    folders = {cell: path / RUNS / cell.name for cell in cells}
    there = [cell for cell in cells if RunDir(folders[cell]).status() == COMPLETED]
    # what is there stays in the tables while others are made
    rows = {cell: run_cell(bench, cell, folders[cell], say=say) for cell in there}
    for cell in there:
        progress.skip(cell.method)
    for cell in [cell for cell in cells if cell not in rows]:
        started = time.monotonic()
        rows[cell] = run_cell(bench, cell, folders[cell], say=say)
        write(bench, [rows[each] for each in cells if each in rows], path)
        progress.done(cell.method, time.monotonic() - started, line(rows[cell]))
    found = [rows[cell] for cell in cells]
    write(bench, found, path)
    return found


def write(bench: Federated, rows: Sequence[Row], path: Path) -> None:
    """Write rows, tables and plots of the runs so far."""
    write_atomic(path / ROWS, to_json(rows))
    head = header(bench)
    write_atomic(path / TABLE, plain(head, rows).encode())
    write_atomic(path / MARKDOWN, markdown(head, rows).encode())
    if find_spec("matplotlib"):
        from fdd_flower.bench.federated.plot import BYTES, SECONDS, draw

        draw(rows, head[0], path / BYTES_PLOT, against=BYTES)
        draw(rows, head[0], path / TIME_PLOT, against=SECONDS)
