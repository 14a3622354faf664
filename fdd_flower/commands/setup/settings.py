"""`fdd settings`: the run config keys, those that matter first or all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from fdd_flower.config import Key, keys, sections

if TYPE_CHECKING:
    from rich.table import Table


def settings(
    contains: Annotated[
        str, typer.Argument(metavar="[TEXT]", help="Only keys or meanings that contain TEXT.")
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="All, not only the first to know.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """List settings: the key, the default, the meaning and what is allowed.

    Without TEXT and --all only those that matter first. A TEXT is looked for in all settings.
    """
    known = list(keys().values())
    found = [
        key
        for key in known
        if contains.lower() in f"{key.name} {key.doc}".lower() and (key.first or contains or every)
    ]
    if as_json:
        typer.echo(json.dumps([_as_json(key) for key in found], indent=2))
        return
    from fdd_flower.commands.screen import print_table

    print_table(_table(found))
    if not contains and not every:
        typer.echo(
            f"{len(found)} of {len(known)} settings. `fdd settings --all` lists the others, "
            "`fdd settings TEXT` searches all."
        )


def shown(key: Key) -> str:
    """Return the default of `key` as one would type it."""
    if isinstance(key.default, bool):
        return str(key.default).lower()
    return str(key.default) or '""'


def _table(found: Sequence[Key]) -> Table:
    """Return a table with a heading for each section, narrow enough for 80 columns."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("key", no_wrap=True)
    table.add_column("default", overflow="fold", max_width=16)
    table.add_column("meaning", overflow="fold")
    for section, own in groupby(found, key=lambda key: key.section):
        kind = sections().get(section)
        about = (kind.__doc__ or "").split("\n")[0] if kind else "Of the whole run."
        table.add_row()
        table.add_row(Text(section or "run", style="bold underline"), "", Text(about, "italic"))
        for key in own:
            meaning = Text.assemble(key.doc, (_range(key), "dim"))
            table.add_row(Text(key.name, style="bold"), Text(shown(key)), meaning)
    return table


def _range(key: Key) -> str:
    """Return the values that `key` allows, where its default and meaning do not tell."""
    if key.choices:
        return f" ({', '.join(key.choices)})"
    return f" ({key.span})" if key.span else ""


def _as_json(key: Key) -> dict[str, object]:
    return {
        "key": key.name,
        "type": key.kind.__name__,
        "default": key.default,
        "allowed": key.allowed,
        "meaning": key.doc,
    }
