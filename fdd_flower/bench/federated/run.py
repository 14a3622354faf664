"""The federated bench itself: one run after another, so that no timing disturbs another."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from fdd_flower.bench.federated.cell import run_cell
from fdd_flower.bench.federated.gain import gains
from fdd_flower.bench.federated.rows import Row
from fdd_flower.bench.federated.settings import Cell, Federated
from fdd_flower.bench.federated.table import header, line, markdown, plain
from fdd_flower.bench.folder import check_folder, claim_folder, write_results
from fdd_flower.bench.progress import Say, one_by_one
from fdd_flower.run_folder.rows import COMPLETED
from fdd_flower.run_folder.run_dir import RunDir

RUNS = "runs"
BYTES_PLOT, TIME_PLOT, GAIN_PLOT = "accuracy-bytes.png", "accuracy-time.png", "gain-bytes.png"
LISTS = ("bench.methods", "bench.splits", "bench.seeds", "bench.data", "methods.", "data.")


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

    def do(cell: Cell) -> Row:
        return run_cell(bench, cell, path / RUNS / bench.place(cell), say=say)

    # what is there stays in the tables while others are made
    there = [c for c in cells if RunDir(path / RUNS / bench.place(c)).status() == COMPLETED]
    return one_by_one(
        cells,
        do,
        done={cell: do(cell) for cell in there},
        kind=lambda cell: cell.method,
        keep=lambda rows: write(bench, rows, path),
        line=line,
        say=say,
    )


def write(bench: Federated, rows: Sequence[Row], path: Path) -> None:
    """Write rows, tables and plots of the runs so far."""
    head, pairs = header(bench), bench.pairs()
    write_results(path, rows, plain=plain(head, rows, pairs), markdown=markdown(head, rows, pairs))
    if find_spec("matplotlib"):
        from fdd_flower.bench.federated.gain_plot import draw_gains
        from fdd_flower.bench.federated.plot import BYTES, SECONDS, draw

        draw(rows, head[0], path / BYTES_PLOT, against=BYTES)
        draw(rows, head[0], path / TIME_PLOT, against=SECONDS)
        draw_gains(gains(rows, pairs), head[0], path / GAIN_PLOT)
