"""The program `fdd`. Nothing heavy is imported before a command needs it: `--help` is quick."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from fdd_flower.commands.audit import audit
from fdd_flower.commands.bench import app as bench
from fdd_flower.commands.compare import compare
from fdd_flower.commands.export import export
from fdd_flower.commands.forget import forget
from fdd_flower.commands.ledger import ledger
from fdd_flower.commands.predict import predict
from fdd_flower.commands.privacy import app as privacy
from fdd_flower.commands.run import run
from fdd_flower.commands.setup.doctor import doctor
from fdd_flower.commands.setup.schema import schema
from fdd_flower.commands.setup.settings import settings
from fdd_flower.commands.show import show
from fdd_flower.commands.train import train

app = typer.Typer(
    name="fdd",
    help="Federated dataset distillation on Flower: clients send kilobytes of synthetic data.",
    epilog="Start with: fdd doctor, then fdd run --clients 10 --rounds 3",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    # a user's mistake is one line, and of a bug the plain traceback says most
    pretty_exceptions_enable=False,
)

app.command(
    epilog="Example: fdd run --clients 10 --rounds 3 --set partition.alpha=0.1 --out runs/first"
)(run)
app.command(epilog="Example: fdd show latest")(show)
app.command(epilog="Example: fdd train latest --model resnet18 --steps 500")(train)
app.command(epilog="Example: fdd predict latest patients.csv --out predictions.csv")(predict)
app.command(epilog="Example: fdd export latest --to huggingface --out digits-distilled")(export)
app.command(epilog="Example: fdd compare runs/first runs/second --out comparison.png")(compare)
app.command(epilog="Example: fdd ledger latest --verify")(ledger)
app.command(epilog="Example: fdd forget latest --client 3 --out runs/without-3")(forget)
app.command(epilog="Example: fdd audit --quick --out audits/first")(audit)
app.add_typer(bench, name="bench")
app.add_typer(privacy, name="privacy")
app.command(epilog="Example: fdd schema patients.csv --label sick --drop id --out schema.toml")(
    schema
)
app.command(epilog="Example: fdd settings distiller")(settings)
app.command(epilog="Example: fdd doctor")(doctor)


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    from fdd_flower.run_folder.versions import versions

    found = versions()
    mine = found.pop("fdd-flower")
    others = ", ".join(f"{name} {number}" for name, number in found.items())
    typer.echo(f"fdd-flower {mine} ({others})")
    raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print versions and exit."
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def main() -> None:
    """Run the program on the arguments of the process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # a character that the locale lacks is no reason to fail
            stream.reconfigure(errors="replace")
    app(prog_name="fdd")


if __name__ == "__main__":
    main()
