"""Tables on a terminal, in a file or in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

from fdd_flower.report.console import SteadyConsole

UNBOUNDED = 200  # columns


def print_table(table: Table) -> None:
    """Print `table`; where no terminal sets a width, as wide as the table is."""
    console = SteadyConsole()
    if not console.is_terminal:
        console.width = UNBOUNDED
    console.print(table)


@contextmanager
def steps_shown(text: str) -> Iterator[Callable[[int, int], None]]:
    """Give what is called with steps done and in all; a terminal shows a bar meanwhile."""
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(text)
        yield lambda done, total: bar.update(task, completed=done, total=total)
