"""`fdd bench load`: the time and memory a server needs for the replies of many clients."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from fdd_flower.commands.bench._options import AsJson
from fdd_flower.commands.bench._rows import end_with
from fdd_flower.commands.errors import one_line_errors

EXAMPLE = "Example: fdd bench load --clients 100,300,1000 --out benches/load"


def load(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new or empty folder.")],
    clients: Annotated[
        str, typer.Option("--clients", metavar="NUMBERS", help="Separated by commas.")
    ] = "100,300,1000",
    kilobytes: Annotated[
        float, typer.Option("--kilobytes", metavar="NUMBER", help="Size of each client's reply.")
    ] = 78.0,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A setting of codec, packing, merger or quota; may be repeated.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take in rounds of random sets as a server does; measure time and memory.

    Replies are made in the wire form, one at a time, and collected. Each is judged, decoded and
    written to a ledger, and the sets are merged. Each number of clients has its own process. DIR
    gets rows.json, table.txt, table.md and memory.png. Exit status: 0 if every row was measured,
    1 if some failed, 2 if the input was wrong, 130 on Ctrl-C.
    """
    from fdd_flower.bench.distil.settings import parse_list
    from fdd_flower.bench.load.run import TABLE, run
    from fdd_flower.bench.load.settings import Load, config_from
    from fdd_flower.launch.settings import parse_assignment
    from fdd_flower.launch.signals import Stopped, stop_on_signals

    def say(text: str) -> None:
        typer.echo(text, err=as_json)

    folder = Path(os.path.abspath(out.expanduser()))
    try:
        with stop_on_signals(), one_line_errors():
            bench = Load(
                clients=parse_list("--clients", clients, int),
                kilobytes=kilobytes,
                cfg=config_from([parse_assignment(text) for text in assignments or []]),
            )
            rows = run(bench, folder, say=say)
    except Stopped as stopped:
        typer.echo(f"stopped; {folder} has the rows that were measured", err=True)
        raise typer.Exit(stopped.exit_status) from None
    end_with(rows, folder / TABLE, holds="rows, tables and plot", as_json=as_json)
