"""`fdd compare`: several finished runs in one table and one plot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from fdd_flower.commands.errors import one_line_errors


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN RUN...", help="Run folders, names in ~/.fdd-flower/runs, or `latest`."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE.png",
            help="Also plot accuracy over rounds and against bytes; a new file.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Put finished runs side by side: results, costs, and the settings that differ."""
    from fdd_flower.commands._runs import find_run
    from fdd_flower.commands.screen import print_table
    from fdd_flower.errors import ConfigError
    from fdd_flower.report.comparison import (
        comparison_as_json,
        comparison_table,
        draw_comparison,
        short_names,
    )
    from fdd_flower.run_folder.load import load_run
    from fdd_flower.run_folder.new_file import check_new

    with one_line_errors(as_json=as_json):
        if len(runs) < 2:
            raise ConfigError(
                "RUN",
                expected="two runs or more",
                got=len(runs),
                remedy="For one run use `fdd show`.",
            )
        plot = None if out is None else check_new(out, (".png",))
        found = [load_run(find_run(run)) for run in runs]
        short_names(found)
        if plot is not None:
            draw_comparison(found, plot)
    if as_json:
        typer.echo(json.dumps({"runs": comparison_as_json(found)}, indent=2))
        return
    print_table(comparison_table(found))
    if plot is not None:
        # the last line, and whole: scripts read the path from it
        typer.echo(f"plot: {plot}")
