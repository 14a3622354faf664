"""`fdd show`: the tables of a finished run."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from fdd_flower.commands.errors import one_line_errors


def show(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="A run's folder, its name in ~/.fdd-flower/runs, or `latest`."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the rounds and the summary of a finished run."""
    from fdd_flower.commands._runs import find_run
    from fdd_flower.commands._tables import run_as_json
    from fdd_flower.commands.screen import print_table
    from fdd_flower.report.headline import headline_of
    from fdd_flower.report.table import rounds_table, summary_table
    from fdd_flower.run_folder.load import load_run

    with one_line_errors(as_json=as_json):
        found = load_run(find_run(run))
    if as_json:
        typer.echo(json.dumps(run_as_json(found), indent=2))
        return
    print_table(rounds_table(found.rows, headline_of(found.summary)))
    print_table(summary_table(found.summary))
