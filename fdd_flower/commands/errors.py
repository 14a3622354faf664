"""Errors as a user of the command line meets them: one line, and an exit status."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from fdd_flower.errors import FddError

COMPLETED = 0
FAILED = 1
BAD_INPUT = 2


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn an `FddError` inside the block into one line on stderr and exit status 2.

    Raises
    ------
    typer.Exit
        With status 2.
    """
    try:
        yield
    except FddError as error:
        typer.echo("error: " + " ".join(str(error).split()), err=True)
        raise typer.Exit(BAD_INPUT) from None
