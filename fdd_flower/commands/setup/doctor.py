"""`fdd doctor`: check whether this machine can run a federation."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from fdd_flower.commands.errors import COMPLETED, FAILED


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """Check this machine: one line per check, with the remedy for what is wrong.

    Exit status: 1 if a check fails, 0 otherwise; warnings do not count.
    """
    from fdd_flower.launch.doctor import FAIL, findings

    found = []
    for finding in findings():
        found.append(finding)
        if not as_json:
            _print(finding.level, f"{finding.name}: {finding.text}", finding.remedy)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in found], indent=2))
    failed = any(finding.level == FAIL for finding in found)
    raise typer.Exit(FAILED if failed else COMPLETED)


def _print(level: str, text: str, remedy: str) -> None:
    colour = {"ok": "green", "warn": "yellow", "fail": "red"}[level]
    typer.echo(
        f"{typer.style(f'{level:<4}', fg=colour)}  {text}" + (f" {remedy}" if remedy else "")
    )
