"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Import components of other packages that RUN names (package.module:Factory), which "
        "runs their code.",
    ),
]
