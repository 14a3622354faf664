"""What tests of the command line share: a runner, and settings for a run of a moment."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fdd_flower.cli import app

QUICK = (
    "--clients", "3", "--rounds", "1", "--in-process",
    "--set", "model.name=logistic", "--set", "distiller.name=random", "--set", "training.steps=5",
)  # fmt: skip


@pytest.fixture
def fdd() -> Callable[..., Result]:
    """Return `fdd` as a function of its arguments."""
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])
