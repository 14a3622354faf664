"""What the bench commands share: the number of cores, and how they end."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from fdd_flower.commands.errors import COMPLETED, FAILED

if TYPE_CHECKING:
    from fdd_flower.bench.federated.rows import Row as FederatedRow
    from fdd_flower.bench.load.rows import Row as LoadRow
    from fdd_flower.bench.rows import Row


def end_with(
    found: Sequence[Row] | Sequence[LoadRow] | Sequence[FederatedRow],
    table: Path,
    *,
    holds: str,
    as_json: bool,
) -> NoReturn:
    """Print the rows `found`, or the text of their `table` and that its folder `holds` more; exit.

    The status is 1 if a row failed.
    """
    from fdd_flower.bench.rows import to_json

    if as_json:
        typer.echo(to_json(found).decode(), nl=False)
    else:
        typer.echo("\n" + table.read_text(encoding="utf-8"))
        # the last line, and whole: scripts read the path from it
        typer.echo(f"{holds}: {table.parent}")
    raise typer.Exit(FAILED if any(row.error for row in found) else COMPLETED)


def cores() -> int:
    """Return how many cores this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(allowed(0)) if allowed else os.cpu_count() or 1
