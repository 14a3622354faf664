"""What the commands of the bench share: cores to use, how they run, and how they end."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Protocol

import typer

from fdd_flower.commands.errors import COMPLETED, FAILED, one_line_errors

Say = Callable[[str], None]


class Row(Protocol):
    """A line of any bench: a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def error(self) -> str:
        """Why it failed; empty if it did not."""
        ...


def run_in(
    out: Path, work: Callable[[Path, Say], Sequence[Row]], *, holds: str, as_json: bool
) -> NoReturn:
    """Let a bench `work` in the folder `out`, print its rows or its tables, and exit.

    The status is 1 if a row failed, 2 if the input was wrong, and that of the signal if it was
    stopped.

    Parameters
    ----------
    work
        Gets the folder, and what takes lines of progress.
    holds
        What the folder has in the end.
    """
    from fdd_flower.bench.folder import TABLE
    from fdd_flower.bench.rows import to_json
    from fdd_flower.launch.signals import Stopped, stop_on_signals

    folder = Path(os.path.abspath(out.expanduser()))
    try:
        with stop_on_signals(), one_line_errors(as_json=as_json):
            found = work(folder, lambda text: typer.echo(text, err=as_json))
    except Stopped as stopped:
        typer.echo(f"stopped; the same command continues in {folder}", err=True)
        raise typer.Exit(stopped.exit_status) from None
    if as_json:
        typer.echo(to_json(found).decode(), nl=False)
    else:
        typer.echo("\n" + (folder / TABLE).read_text(encoding="utf-8"))
        # the last line, and whole: scripts read the path from it
        typer.echo(f"{holds}: {folder}")
    raise typer.Exit(FAILED if any(row.error for row in found) else COMPLETED)


def cores() -> int:
    """Return how many cores this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(allowed(0)) if allowed else os.cpu_count() or 1
