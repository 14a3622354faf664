"""`fdd forget`: a finished run again, without one of its clients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from fdd_flower.commands._errors import one_line_errors


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
        Path, typer.Option("--out", metavar="DIR", help="The new folder; must not hold a run.")
    ],
    purge: Annotated[
        bool,
        typer.Option("--purge", help="Also delete what the client sent from RUN's own ledger."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object; progress goes to stderr.")
    ] = False,
) -> None:
    """Make the set and the model that a run would have given if a client had never joined.

    From the ledger, without asking anybody: rounds are merged and trained again from the first
    one that has a set of the client. Bit for bit exact, and it says how far: where other clients'
    later sets were made with the global model or beside the client's rows, only those clients
    could make them anew, and the replay ends before.

    The new folder holds nothing that the client sent. RUN is left as it is, but for --purge.
    """
    from fdd_flower.commands._runs import find_run
    from fdd_flower.commands._tables import run_as_json, summary_line
    from fdd_flower.launch.progress import Progress, instead_of_flower_log
    from fdd_flower.launch.settings import absolute
    from fdd_flower.ledger import Ledger
    from fdd_flower.report.load import load_run
    from fdd_flower.report.run_dir import LEDGER, RunDir
    from fdd_flower.strategies._forget import forget as replay
    from fdd_flower.strategies._forget import scope_of

    progress = Progress(to_stderr=as_json)
    with one_line_errors():
        found = load_run(find_run(run))
        ledger = Ledger(found.path / LEDGER)
        scope = scope_of(found, ledger.entries(), client)
        with instead_of_flower_log(progress):
            folder = replay(found, client, scope, Path(absolute(out)))
        purged = None
        if purge:
            purged = ledger.forget(client)
            RunDir(found.path).clear()
        new = load_run(folder)
    left = [str(path) for path in _made_with_it(found.path)]
    if as_json:
        facts = {"client": client, "replayed": scope.rounds, "of": found.summary.rounds,
                 "why": scope.why, "purged": purged, "still-made-with-it": left}  # fmt: skip
        typer.echo(json.dumps(run_as_json(new) | {"forgotten": facts}, indent=2))
        return
    progress.say(scope.why)
    progress.say(summary_line(new.summary))
    if purged is None:
        progress.say(f"{found.path} still holds what client {client} sent; --purge deletes it")
    else:
        progress.say(f"deleted from {ledger.path} what client {client} sent: {purged} replies")
    if left:
        progress.say(f"made with it, and left as they are: {', '.join(left)}")
    # the last line, and whole: scripts read the path from it
    typer.echo(f"pictures and report: {folder}")


def _made_with_it(folder: Path) -> list[Path]:
    from fdd_flower.report.run_dir import MODEL, REPORT, SYNTHETIC, SYNTHETIC_PICTURE

    names = (SYNTHETIC, MODEL, SYNTHETIC_PICTURE, REPORT)
    return [folder / name for name in names if (folder / name).exists()]
