"""Tables on a terminal, in a file or in a pipe."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

UNBOUNDED = 200  # columns


def print_table(table: Table) -> None:
    """Print `table`; where no terminal sets a width, as wide as the table is."""
    console = Console()
    if not console.is_terminal:
        console.width = UNBOUNDED
    console.print(table)
