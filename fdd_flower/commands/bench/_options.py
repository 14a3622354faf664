"""Options that several bench commands share."""

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[
    Path,
    typer.Option(
        "--out", metavar="DIR", help="Folder; a bench of the same settings in it continues."
    ),
]
Data = Annotated[str, typer.Option("--data", metavar="NAME", help="The data set.")]
Holdout = Annotated[
    bool,
    typer.Option(
        "--holdout",
        help="Measure on a held-out tenth of the training records, not on the test split: for "
        "choosing settings.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", min=1, max=1_024, help="Threads of each task; by default every core."
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue a bench; refuse a folder without one.")
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the rows as JSON; progress goes to stderr.")
]
