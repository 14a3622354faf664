"""`fdd settings`: every run config key."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from fdd_flower.config import Key, keys


def settings(
    contains: Annotated[
        str, typer.Argument(metavar="[TEXT]", help="Only keys or meanings that contain TEXT.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """List settings: key, default, allowed values and meaning."""
    found = [key for key in keys().values() if contains.lower() in f"{key.name} {key.doc}".lower()]
    if as_json:
        typer.echo(json.dumps([_as_json(key) for key in found], indent=2))
        return
    from rich.table import Table
    from rich.text import Text

    from fdd_flower.commands._screen import print_table

    table = Table(title="Settings")
    table.add_column("key", no_wrap=True, style="bold")
    for name in ("default", "allowed", "meaning"):
        table.add_column(name, overflow="fold")
    for key in found:
        table.add_row(key.name, *(Text(text) for text in (shown(key), key.allowed, key.doc)))
    print_table(table)


def shown(key: Key) -> str:
    """Return the default of `key` as one would type it."""
    if isinstance(key.default, bool):
        return str(key.default).lower()
    return str(key.default) or '""'


def _as_json(key: Key) -> dict[str, object]:
    return {
        "key": key.name,
        "type": key.kind.__name__,
        "default": key.default,
        "allowed": key.allowed,
        "meaning": key.doc,
    }
