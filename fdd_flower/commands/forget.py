"""`fdd forget`: a finished run again, without one of its clients."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fdd_flower.commands._options import Trust
from fdd_flower.commands.errors import FAILED, one_line_errors
from fdd_flower.wording import many

if TYPE_CHECKING:
    from fdd_flower.launch.begun import Begun
    from fdd_flower.launch.progress import Progress
    from fdd_flower.run_folder.load import Run
    from fdd_flower.server.forget import Scope


def forget(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="A run's folder, its name in ~/.fdd-flower/runs, or `latest`."
        ),
    ],
    client: Annotated[
        str, typer.Option("--client", metavar="KEY", help="The client, as `fdd ledger` names it.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The new folder; must not contain a run.")
    ],
    purge: Annotated[
        bool,
        typer.Option("--purge", help="Also delete from the ledger of RUN what the client sent."),
    ] = False,
    trust: Trust = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object; progress goes to stderr.")
    ] = False,
) -> None:
    """Rebuild the set and the model of a run as if a client had never joined.

    It works from the ledger, without asking any client: rounds are merged and trained again,
    from the first one that has a set of the client. The result is exact bit for bit, and the
    command says how far that reaches. Where other clients' later sets were made with the global
    model or beside the client's rows, only those clients can make them again. The simulated
    clients of `fdd run` do, which takes as long as the run; in a deployment the replay ends there.

    The new folder holds nothing that the client sent. RUN stays as it is, unless --purge.
    """
    from fdd_flower.commands._runs import find_run
    from fdd_flower.commands._tables import run_as_json, summary_line
    from fdd_flower.launch.progress import Progress
    from fdd_flower.launch.settings import absolute
    from fdd_flower.ledger import Ledger
    from fdd_flower.run_folder.load import load_run
    from fdd_flower.run_folder.run_dir import LEDGER, RunDir
    from fdd_flower.server.forget import scope_of

    progress = Progress(to_stderr=as_json)
    with one_line_errors(as_json=as_json):
        found = load_run(find_run(run), trust=trust)
        ledger = Ledger(found.path / LEDGER)
        scope = scope_of(found, ledger.entries(), client)
        folder, scope = _made_again(found, client, scope, Path(absolute(out)), progress)
        purged = None
        if purge:
            purged = ledger.forget(client)
            RunDir(found.path).clear()
        new = load_run(folder)
    left = [str(path) for path in _made_with_it(found.path)]
    if as_json:
        facts = {
            "client": client,
            "replayed": scope.rounds,
            "of": found.summary.rounds,
            "why": scope.why,
            "purged": purged,
            "still-made-with-it": left,
        }
        typer.echo(json.dumps(run_as_json(new) | {"forgotten": facts}, indent=2))
        return
    progress.say(scope.why)
    progress.say(summary_line(new.summary))
    if purged is None:
        progress.say(f"{found.path} still holds what client {client} sent; --purge deletes it")
    else:
        progress.say(
            f"deleted from {ledger.path} what client {client} sent: {many(purged, 'reply')}"
        )
    if left:
        progress.say(f"made with it, and not changed: {', '.join(left)}")
    # the last line, and whole: scripts read the path from it
    typer.echo(f"pictures and report: {folder}")


def _made_again(
    run: Run, client: str, scope: Scope, out: Path, progress: Progress
) -> tuple[Path, Scope]:
    """Return the folder of the run without `client`, and how it was made."""
    from fdd_flower.launch.begun import read_begun
    from fdd_flower.launch.output import choose
    from fdd_flower.launch.preflight import preflight
    from fdd_flower.launch.progress import instead_of_flower_log
    from fdd_flower.launch.remake import can_remake, first_difference, without
    from fdd_flower.server.forget import forget as replay

    begun = read_begun(run.path)
    short = scope.rounds < run.summary.rounds
    if begun is None or not can_remake(begun, client):
        if short:
            scope = replace(scope, why=f"{scope.why}: left out, as only the clients can make them")
        with instead_of_flower_log(progress):
            return replay(run, client, scope, out), scope
    left = without(begun, client, out)
    if not short:
        with instead_of_flower_log(progress):
            folder = replay(run, client, scope, out)
        left.write(folder)
        return folder, scope
    choose(left.config, datetime.now())
    preflight(left.config, left.clients, absent=len(left.absent))
    progress.say(f"{scope.why}: the simulated clients make them again")
    _run(left, progress)
    rounds = run.summary.rounds
    other = first_difference(run.path, out, client, rounds=scope.rounds)
    why = f"exact: the simulated clients made {many(rounds, 'round')} again"
    if other is not None:
        cause = "another machine or version made"
        if run.config.strategy.fraction < 1:
            cause = "drew others of them (strategy.fraction)"
        why = (
            f"made again by the simulated clients: in round {other} their sets are not those of "
            f"{run.path}, which {cause}, so compare it with no run of then"
        )
    return out, replace(scope, rounds=rounds, why=why)


def _run(begun: Begun, progress: Progress) -> None:
    from fdd_flower.launch.in_process import run_in_process
    from fdd_flower.launch.signals import Stopped, stop_on_signals

    try:
        with stop_on_signals():
            outcome = run_in_process(begun, progress)
    except Stopped as stopped:
        progress.note("stopped; the run without the client is not complete")
        status = stopped.exit_status
    else:
        if outcome.completed:
            return
        if not progress.errors:
            progress.error(outcome.reason)
        status = FAILED
    progress.note(f"to resume: fdd run --in-process --resume {begun.config.output.dir}")
    raise typer.Exit(status)


def _made_with_it(folder: Path) -> list[Path]:
    from fdd_flower.run_folder.run_dir import (
        MODEL,
        REPORT,
        SYNTHETIC,
        SYNTHETIC_PICTURE,
        model_file,
    )

    names = (SYNTHETIC, MODEL, SYNTHETIC_PICTURE, REPORT)
    more = sorted([*folder.glob(model_file("*")), *folder.glob("export-*")])
    return [*(folder / name for name in names if (folder / name).exists()), *more]
