"""`fdd bench load`: the time and memory a server needs for the replies of many clients."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from fdd_flower.commands.bench._options import AsJson, Out, Resume
from fdd_flower.commands.bench._rows import Row, Say, run_in

EXAMPLE = "Example: fdd bench load --clients 100,300,1000 --out benches/load"


def load(
    out: Out,
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
    resume: Resume = False,
    as_json: AsJson = False,
) -> None:
    """Take in rounds of random sets as a server does; measure time and memory.

    Replies are made in the wire form, one at a time, and collected. Each is judged, decoded and
    written to a ledger, and the sets are merged. Each number of clients has its own process. DIR
    gets rows.json, table.txt, table.md, memory.png and config.toml; rows already there are kept.
    Exit status: 0 if every row was measured, 1 if some failed, 2 if the input was wrong, 130 on
    Ctrl-C.
    """
    from fdd_flower.bench.lists import parse_list
    from fdd_flower.bench.load.run import check, run
    from fdd_flower.bench.load.settings import Load, config_from
    from fdd_flower.launch.settings import parse_assignment

    def work(folder: Path, say: Say) -> Sequence[Row]:
        bench = Load(
            clients=parse_list("--clients", clients, int),
            kilobytes=kilobytes,
            cfg=config_from([parse_assignment(text) for text in assignments or []]),
        )
        check(bench, folder, resume=resume)
        return run(bench, folder, say=say)

    run_in(out, work, holds="rows, tables and plot", as_json=as_json)
