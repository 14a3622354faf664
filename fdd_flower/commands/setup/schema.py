"""`fdd schema`: the schema of a table, drafted from a sample for a person to edit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fdd_flower.commands.errors import one_line_errors
from fdd_flower.wording import many

if TYPE_CHECKING:
    from rich.table import Table

    from fdd_flower.data.tables.sample import Draft


def schema(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A sample that all may know: CSV, Parquet, Feather, Excel."
        ),
    ],
    label: Annotated[
        str, typer.Option("--label", metavar="NAME", help="The column that holds the class.")
    ] = "label",
    drop: Annotated[
        list[str] | None,
        typer.Option(
            "--drop", metavar="NAME", help="A column to leave out: an id, a leak. May be repeated."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.toml", help="Write the schema there, to edit it."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Draft what the columns of a table are: kinds, levels, ranges, what stands for missing.

    Edit the file, and name it in a run with --set data.schema=FILE.toml. Every client then encodes
    by it and by nothing that it learned from its own records. So FILE must be a sample that may be
    known to all, or the server's own: ranges and words of it stand in the schema.
    """
    from fdd_flower.commands.screen import print_table
    from fdd_flower.data.schema_toml import schema_text
    from fdd_flower.data.tables.sample import draft_schema
    from fdd_flower.run_folder.files import write_atomic
    from fdd_flower.run_folder.new_file import check_new

    with one_line_errors():
        path = None if out is None else check_new(out, (".toml",))
        found = draft_schema(file.expanduser(), label, drop=drop or [])
        if path is not None:
            write_atomic(path, schema_text(found.schema).encode())
    if as_json:
        typer.echo(json.dumps(_as_json(found, path), indent=2))
        return
    print_table(_table(found))
    kept = [column for column in found.schema.columns if column.kind != "ignore"]
    typer.echo(
        f"columns: {len(kept)}, features: {len(found.schema.features)}; classes of {label}: "
        f"{', '.join(found.schema.classes)}"
    )
    if label in found.notes:
        typer.echo(f"note: {found.notes[label]}")
    # the last line, and whole: scripts read the path from it
    typer.echo("add --out schema.toml to write it" if path is None else f"schema: {path}")


def _table(found: Draft) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from fdd_flower.data.tables.words import allowed
    from fdd_flower.report.units import human_share, one_line

    table = Table(title=many(found.rows, "row"), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("column")
    table.add_column("kind")
    table.add_column("values", overflow="fold", max_width=44)
    table.add_column("missing", justify="right")
    table.add_column("note", overflow="fold")
    for column in found.schema.columns:
        share = found.missing.get(column.name, 0.0)
        table.add_row(
            Text(one_line(column.name, 40)),
            column.kind,
            Text(one_line(allowed(column), 120)),
            human_share(share) if share else "",
            Text(one_line(found.notes.get(column.name, ""), 120)),
        )
    return table


def _as_json(found: Draft, path: Path | None) -> dict[str, object]:
    return {
        "schema": None if path is None else str(path),
        "rows": found.rows,
        "label": found.schema.label,
        "classes": list(found.schema.classes),
        "features": len(found.schema.features),
        "columns": [column.to_dict() for column in found.schema.columns],
        "missing": found.missing,
        "notes": found.notes,
    }
