"""`fdd audit`: attack what leaves a client, and say what the attacks found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fdd_flower.commands.errors import one_line_errors

if TYPE_CHECKING:
    from fdd_flower.audit.outcome.rows import Outcome
    from fdd_flower.config import Config


def audit(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="A run's folder, its name in ~/.fdd-flower/runs, or `latest`: attack its set with "
            "--records. Without it, all distillers are attacked on --data.",
        ),
    ] = None,
    records: Annotated[
        Path | None,
        typer.Option(
            "--records",
            metavar="PATH",
            help="With RUN: records that were in, in a file or folder as its clients have it.",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="One draw and few shadow releases: about 2 minutes.")
    ] = False,
    data: Annotated[
        str, typer.Option("--data", metavar="NAME", help="The data set to audit on.")
    ] = "digits",
    names: Annotated[
        str | None,
        typer.Option(
            "--targets",
            metavar="NAMES",
            help="What to attack, separated by commas; dm@distiller.ipc=50 is dm with a setting. "
            "By default every distiller, raw records and FedAvg.",
        ),
    ] = None,
    canaries: Annotated[
        int,
        typer.Option(
            "--canaries", min=10, metavar="N", help="Records that a coin puts in or leaves out."
        ),
    ] = 1000,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds", min=1, metavar="N", help="Draws of the coins; by default 3, with --quick 1."
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", min=1, metavar="N", help="Processes at once; by default one a core."
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting; may be repeated."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")
    ] = Path("audit"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the figures as JSON; progress goes to stderr.")
    ] = False,
) -> None:
    """Attack what leaves a client: members, copies, hidden attributes, subjects, gradients.

    Coins decide which records are in. All targets see the same records, raw copies and FedAvg
    among them, so that numbers can be compared. DIR gets audit.json, audit.md, roc.png, and the
    nearest pairs of each target with rows. Exit status: 1 if a target is flagged that does not
    say itself that it sends real records, or if the audit is wrong about a mechanism that it
    audits itself by; else 0; 2 if the input was wrong.
    """
    import os
    from dataclasses import replace

    from fdd_flower.audit.outcome.markdown import table
    from fdd_flower.audit.run import QUICK, WHOLE, audit
    from fdd_flower.threads import threads

    def say(line: str) -> None:
        typer.echo(line, err=as_json)

    with one_line_errors(as_json=as_json):
        if run is not None or records is not None:
            outcome = _of_run(run, records, out)
        else:
            cfg = _settings(data, assignments or [])
            extent = QUICK if quick else WHOLE
            with threads(1):
                outcome = audit(
                    cfg,
                    names=_names(names, quick),
                    canaries=canaries,
                    extent=replace(extent, seeds=seeds or extent.seeds),
                    folder=out,
                    say=say,
                    processes=jobs or os.cpu_count() or 1,
                )
    if as_json:
        typer.echo(outcome.to_json())
    else:
        typer.echo("\n".join(table(outcome.findings)))
        typer.echo(f"audit: {out.absolute()}")
    flagged = any(f for each in outcome.findings for f in each.flags if "as it says" not in f)
    if flagged or any(check.wrong for check in outcome.checks):
        raise typer.Exit(1)


def _of_run(run: str | None, records: Path | None, out: Path) -> Outcome:
    from fdd_flower.audit.own_run import audit_run
    from fdd_flower.commands._runs import find_run
    from fdd_flower.errors import ConfigError
    from fdd_flower.run_folder.load import load_run

    if run is None or records is None:
        raise ConfigError(
            "fdd audit",
            expected="RUN and --records together, or neither",
            got="one of them",
            remedy="Name the run, and a file with records that were in it.",
        )
    return audit_run(load_run(find_run(run)), records, out)


def _names(given: str | None, quick: bool) -> tuple[str, ...]:
    from fdd_flower.audit.run import MORE
    from fdd_flower.audit.targets import all_names

    if given is not None:
        return tuple(name.strip() for name in given.split(",") if name.strip())
    return (*all_names(), *(() if quick else MORE))


def _settings(data: str, assignments: list[str]) -> Config:
    from fdd_flower.config import NONE, from_run_config
    from fdd_flower.errors import ConfigError
    from fdd_flower.launch.settings import given

    found = given(assignments=assignments)
    if found.get("preset", NONE) != NONE:
        raise ConfigError(
            "--set preset",
            expected="settings one by one, and no preset: targets are attacked with these",
            got="a preset",
            remedy="Leave it out, or attack a run that had one: `fdd audit RUN`.",
        )
    return from_run_config({"data.name": data, "preset": NONE, **found})
