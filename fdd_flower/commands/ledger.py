"""`fdd ledger`: which replies a run accepted, and whether the stored files still match."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from fdd_flower.commands.errors import COMPLETED, FAILED, one_line_errors


def ledger(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="A run's folder, its name in ~/.fdd-flower/runs, or `latest`."
        ),
    ],
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare every stored file with its hash.")
    ] = False,
    scores: Annotated[
        bool,
        typer.Option(
            "--scores", help="List the scored sets: which clients helped and which did not."
        ),
    ] = False,
    row: Annotated[
        int | None,
        typer.Option(
            "--row", metavar="N", min=0, help="Only the set that row N of the merged set came from."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List every reply of a run and its verdict; the run need not have ended.

    With --verify: exit status 1 if a stored file is missing, truncated or changed, or the merged
    set was made from one that the ledger does not have as accepted; each is named.

    With --scores, for each scored set (`scoring.mode`): its utility to a cheap model of all sets,
    the share of its labels that a model of the server's records gives too, how far a class mean
    is off in robust deviations, and the share of its rows that are near another client's.

    With --row: which client sent a row of `synthetic.safetensors`. The first row is 0.
    """
    from fdd_flower.commands._runs import find_run
    from fdd_flower.commands.screen import print_table
    from fdd_flower.ledger import Ledger
    from fdd_flower.ledger.traced import entry_of_row
    from fdd_flower.ledger.verify import missing_rows
    from fdd_flower.ledger.verify import verify as damage
    from fdd_flower.report.ledger_table import ledger_table, scored, scores_table
    from fdd_flower.report.units import one_line
    from fdd_flower.run_folder.run_dir import LEDGER

    with one_line_errors(as_json=as_json):
        folder = find_run(run)
        found = Ledger(folder / LEDGER)
        entries = found.entries()
        if row is not None:
            entries = [entry_of_row(folder, entries, row)]
        damaged = list(damage(found, entries)) if verify else []
        missing = missing_rows(folder, entries) if verify and row is None else []
    if as_json:
        document: dict[str, object] = {
            "ledger": str(found.path),
            "entries": [asdict(entry) for entry in (scored(entries) if scores else entries)],
        }
        if verify:
            document["damaged"] = [{**asdict(e), "error": str(error)} for e, error in damaged]
            document["missing"] = [str(error) for error in missing]
        typer.echo(json.dumps(document, indent=2))
    else:
        print_table(scores_table(entries) if scores else ledger_table(entries))
        if scores and not scored(entries):
            typer.echo("no set was scored: the run had scoring.mode = off")
    for entry, error in damaged:
        client = one_line(entry.client, 60)
        typer.echo(f"error: round {entry.round}, client {client}: {error}", err=True)
    for error in missing:
        typer.echo(f"error: {error}", err=True)
    if verify and not damaged and not missing and not as_json:
        typer.echo("every file matches its hash")
    raise typer.Exit(FAILED if damaged or missing else COMPLETED)
