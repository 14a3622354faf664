"""Errors as a user of the command line meets them: one line, and an exit status."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from fdd_flower.errors import FddError

COMPLETED = 0
FAILED = 1
BAD_INPUT = 2


@contextmanager
def one_line_errors(*, as_json: bool = False) -> Iterator[None]:
    """Turn an `FddError` inside the block into one line on stderr and exit status 2.

    Parameters
    ----------
    as_json
        Print it on stdout as well, as one JSON object.

    Raises
    ------
    typer.Exit
        With status 2.
    """
    try:
        yield
    except FddError as error:
        typer.echo("error: " + " ".join(str(error).split()), err=True)
        if as_json:
            print_error(error)
        raise typer.Exit(BAD_INPUT) from None


def print_error(error: FddError) -> None:
    """Print an error on stdout as one JSON object: `{"error": {...}}`."""
    facts = {
        "kind": type(error).__name__,
        "what": error.what,
        "expected": error.expected,
        "got": str(error.got),
        "remedy": error.remedy,
        "message": str(error),
    }
    typer.echo(json.dumps({"error": facts}, indent=2))
