"""The options of the examples in which each client has a table of its own."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path


def parser_of(description: str, *, client: str, label: str, out: str) -> argparse.ArgumentParser:
    """Return a parser for the tables of clients, the server's, and what both are called."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("tables", nargs="*", type=Path, help=f"a CSV for each {client}")
    parser.add_argument("--test", type=Path, help="the server's CSV: classes, scale, test records")
    parser.add_argument("--label", default=label, help="the column that holds the class")
    parser.add_argument("--demo", action="store_true", help="make the tables up")
    parser.add_argument("--out", type=Path, default=Path(out))
    return parser


def read(
    parser: argparse.ArgumentParser,
    arguments: list[str] | None,
    make_demo: Callable[[Path], tuple[list[Path], Path]],
) -> argparse.Namespace:
    """Return the options; with `--demo` the tables are those that `make_demo` writes."""
    options = parser.parse_args(arguments)
    if options.demo:
        options.tables, options.test = make_demo(options.out / "demo")
    if len(options.tables) < 2 or options.test is None:
        parser.error("name two tables or more and --test, or pass --demo")
    return options
