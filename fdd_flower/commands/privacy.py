"""`fdd privacy`: what a budget buys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from fdd_flower.commands.errors import one_line_errors

app = typer.Typer(help="Plan the noise of private runs.", no_args_is_help=True)


@app.callback()
def _privacy() -> None:
    """Plan the noise of private runs."""


@app.command(epilog="Example: fdd privacy plan --epsilon 1 --records 6000 --classes 10")
def plan(
    epsilon: Annotated[float, typer.Option(help="What a client may spend.")] = 1.0,
    records: Annotated[int, typer.Option(help="Records of a client.", min=1)] = 6_000,
    classes: Annotated[int, typer.Option(help="Classes of equal size.", min=1)] = 10,
    delta: Annotated[float, typer.Option(help="Well below 1 / records.")] = 1e-5,
    mode: Annotated[str, typer.Option(help="As privacy.mode of a run.")] = "dp-moments",
    clients: Annotated[int, typer.Option(help="Clients whose releases add up.", min=1)] = 1,
    secure_sum: Annotated[
        bool, typer.Option("--secure-sum", help="Clients share the noise of their sum.")
    ] = False,
    quorum: Annotated[
        int | None,
        typer.Option(help="As strategy.quorum of a run; more than half must stay anyway.", min=1),
    ] = None,
    colluding: Annotated[
        int, typer.Option(help="With --secure-sum: clients that may tell their noise.", min=0)
    ] = 0,
    releases: Annotated[int, typer.Option(help="Releases that the budget pays for.", min=1)] = 1,
    max_epsilon: Annotated[
        float | None, typer.Option(help="What a client allows over all runs; default: --epsilon.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.json", help="Also write it as JSON.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what noise and accuracy to expect, and how many releases a budget allows."""
    from rich.table import Table

    from fdd_flower.commands.screen import print_table
    from fdd_flower.config import find_key
    from fdd_flower.privacy.outlook import outlook
    from fdd_flower.run_folder.files import write_atomic
    from fdd_flower.run_folder.new_file import check_new

    with one_line_errors(as_json=as_json):
        for name, value in (("mode", mode), ("epsilon", epsilon), ("delta", delta)):
            find_key(f"privacy.{name}").check(value)
        file = None if out is None else check_new(out, (".json",))
        found = outlook(
            mode=mode,
            epsilon=epsilon,
            delta=delta,
            records=records,
            classes=classes,
            clients=clients,
            secure_sum=secure_sum,
            quorum=quorum,
            colluding=colluding,
            releases=releases,
            max_epsilon=max_epsilon,
        )
    text = json.dumps(found, indent=2)
    if file is not None:
        write_atomic(file, text.encode() + b"\n")
    if as_json:
        typer.echo(text)
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in found.items():
        if name not in ("accuracy", "accuracy_measured_in", "warnings") and value is not None:
            table.add_row(name.replace("_", " "), _shown(value))
    near: Any = found["accuracy"]
    for one in near or [None]:
        table.add_row("accuracy", _accuracy(one))
    if near:
        table.add_row("", f"on their own held-out or test records: {found['accuracy_measured_in']}")
    print_table(table)
    warnings: Any = found["warnings"]
    for sentence in warnings:
        typer.echo(f"warning: {sentence}.", err=True)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{n}: {sigma:.4g}" for n, sigma in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _accuracy(one: Any) -> str:
    if one is None:
        return "not measured in this mode"
    return (
        f"{one['is']} {100 * one['accuracy']:.0f} % with so much noise on {one['data']} "
        f"({one['records']:,} records of {one['classes']} classes)"
    )
