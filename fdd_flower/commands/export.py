"""`fdd export`: a run's set and model as plain files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from fdd_flower.commands._options import Trust
from fdd_flower.commands.errors import one_line_errors
from fdd_flower.wording import many


def export(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="A run's folder, its name in ~/.fdd-flower/runs, or `latest`."
        ),
    ],
    to: Annotated[
        str, typer.Option("--to", metavar="FORM", help="images, npz, csv, parquet or huggingface.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="A new or empty folder; by default RUN/export-FORM."
        ),
    ] = None,
    trust: Trust = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write the synthetic set of a finished run in a form that other tools open.

    Labels are written as names, with the weight and the origin of each record beside them. The
    folder also gets a README.md that says what the set is, summary.json, and the run's model with
    a card of its own. `huggingface` is a folder for datasets.load_dataset(DIR).
    """
    from fdd_flower.commands._runs import find_run
    from fdd_flower.results.export import export as write
    from fdd_flower.run_folder.load import load_run

    with one_line_errors(as_json=as_json):
        found = load_run(find_run(run), trust=trust)
        folder = Path(out.expanduser() if out else found.path / f"export-{to}").absolute()
        rows = write(found, to, folder)
    if as_json:
        files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        document = {
            "export": str(folder),
            "form": to,
            "records": len(rows),
            "real_records": rows.real,
            "files": files,
        }
        typer.echo(json.dumps(document, indent=2))
        return
    if rows.real:
        typer.echo(
            f"warning: {found.summary.distiller} picks real records: treat this folder as the data",
            err=True,
        )
    typer.echo(
        f"{many(len(rows), 'record')} of {many(len(rows.schema.classes), 'class')}, and the model"
    )
    # the last line, and whole: scripts read the path from it
    typer.echo(f"export: {folder}")
