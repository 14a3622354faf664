"""`fdd run`: check, run, show what came out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fdd_flower.commands.errors import COMPLETED, FAILED, one_line_errors, print_error

if TYPE_CHECKING:
    from fdd_flower.config import Scalar
    from fdd_flower.launch.begun import Begun
    from fdd_flower.launch.outcome import Outcome
    from fdd_flower.launch.progress import Progress


def run(
    clients: Annotated[
        int | None,
        typer.Option(
            "--clients",
            min=1,
            max=100_000,
            help="Clients to simulate. With partition.name=column: the N largest groups.",
            show_default="10, or one for each group",
        ),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option("--rounds", help="Rounds; short for --set num-server-rounds=N.")
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting; may be repeated."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE.toml", help="Settings from a file.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Folder for the files of the run; must not contain a run."
        ),
    ] = None,
    resume: Annotated[
        str,
        typer.Option(
            "--resume",
            metavar="RUN",
            help="Resume a run that was killed or failed, with its own settings.",
        ),
    ] = "",
    in_process: Annotated[
        bool, typer.Option("--in-process", help="Without Ray and a SuperLink: starts at once.")
    ] = False,
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            metavar="KEY",
            help="A client that never joins (with --in-process); may be repeated. The others "
            "keep their shares, so the run can be compared with what `fdd forget` makes.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object; progress goes to stderr.")
    ] = False,
) -> None:
    """Run a federation on this machine and leave a folder with its report.

    Settings: the defaults, then --config, then --set, then the other options. `fdd settings`
    lists them all. Exit status: 0 only if the run completed, 1 if it failed, 2 if the input
    was wrong (nothing is started or written then), 130 on Ctrl-C.

    With --resume the result is bit-identical to that of a run that was never interrupted. Only
    strategy.deadline, strategy.min-nodes and strategy.quorum may then be changed.
    """
    from fdd_flower.commands._runs import find_run
    from fdd_flower.errors import LaunchError
    from fdd_flower.launch.outcome import recorded_status
    from fdd_flower.launch.prepare import prepare
    from fdd_flower.launch.progress import Progress
    from fdd_flower.launch.settings import given
    from fdd_flower.launch.signals import Stopped, stop_on_signals
    from fdd_flower.run_folder.rows import COMPLETED as COMPLETED_RUN

    progress, folder = Progress(to_stderr=as_json), None
    try:
        with stop_on_signals():
            with (
                one_line_errors(as_json=as_json),
                progress.alive("checking the settings and the data"),
            ):
                values = given(
                    config_file=config, assignments=assignments or (), rounds=rounds, out=out
                )
                if resume:
                    found = find_run(resume, ended=False)
                    if recorded_status(found) == COMPLETED_RUN:
                        progress.say("the run is complete: there is nothing to resume")
                        raise typer.Exit(_show(found, progress, as_json))
                    begun, about = _take_up(found, values, clients, without or [])
                else:
                    begun, about = prepare(
                        values,
                        clients,
                        absent=without or [],
                        in_process=in_process,
                    )
                folder = Path(begun.config.output.dir)
            for line in about:
                progress.say(line)
            with progress.bar(begun.config.num_server_rounds):
                outcome = _launch(begun, progress, in_process)
    except LaunchError as error:
        progress.error(str(error))
        if as_json:
            print_error(error)
        raise typer.Exit(FAILED) from None
    except Stopped as stopped:
        progress.note("stopped; the run is not complete")
        if folder is not None and folder.is_dir():
            progress.note(f"files so far: {folder}")
            progress.note(f"to resume: fdd run --resume {folder}")
        raise typer.Exit(stopped.exit_status) from None
    raise typer.Exit(_finish(folder, outcome, progress, as_json))


def _take_up(
    run: Path, values: dict[str, Scalar], clients: int | None, absent: list[str]
) -> tuple[Begun, list[str]]:
    """Return the checked settings and clients of a run to resume, and what it is about to do."""
    from fdd_flower.errors import ConfigError
    from fdd_flower.launch.begun import take_up
    from fdd_flower.launch.preflight import preflight

    if "output.dir" in values:
        raise ConfigError(
            "--out",
            expected="not together with --resume",
            got=values["output.dir"],
            remedy="A run resumes in its own folder.",
        )
    if absent:
        raise ConfigError(
            "--without",
            expected="not together with --resume",
            got=", ".join(absent),
            remedy="A run resumes with the clients that it began with.",
        )
    begun = take_up(run, values, clients)
    return begun, preflight(
        begun.config, begun.clients, absent=len(begun.absent), own_data=begun.own_data
    )


def _launch(begun: Begun, progress: Progress, in_process: bool) -> Outcome:
    if in_process or begun.own_data:
        from fdd_flower.launch.in_process import run_in_process

        return run_in_process(begun, progress)
    from fdd_flower.launch.flower.simulate import run_in_simulation

    return run_in_simulation(begun, progress)


def _finish(folder: Path, outcome: Outcome, progress: Progress, as_json: bool) -> int:
    """Show what the run left and return the exit status."""
    if not outcome.completed:
        if outcome.reason and not progress.errors:
            progress.error(outcome.reason)
        if outcome.log is not None:
            progress.note(f"log: {outcome.log}")
        if as_json:
            why = "; ".join(progress.errors) or outcome.reason
            typer.echo(json.dumps({"error": {"message": why}, "output": str(folder)}, indent=2))
        return FAILED
    return _show(folder, progress, as_json)


def _show(folder: Path, progress: Progress, as_json: bool) -> int:
    from fdd_flower.commands._tables import run_as_json, summary_line
    from fdd_flower.commands.screen import print_table
    from fdd_flower.report.headline import headline_of
    from fdd_flower.report.table import rounds_table
    from fdd_flower.run_folder.load import load_run

    found = load_run(folder)
    if as_json:
        typer.echo(json.dumps(run_as_json(found), indent=2))
    else:
        print_table(rounds_table(found.rows, headline_of(found.summary)))
        progress.say(summary_line(found.summary))
        # the last line, and whole: scripts read the path from it
        progress.say(f"pictures and report: {folder}")
    return COMPLETED
