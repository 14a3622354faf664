"""What the tests of commands that use a finished run share: runs, made once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import Result
from sklearn.datasets import load_wine
from typer.testing import CliRunner

from fdd_flower.cli import app
from tests.cli.conftest import QUICK


@pytest.fixture(scope="session")
def fdd() -> Callable[..., Result]:
    """Return `fdd` as a function of its arguments."""
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="session")
def digits_once(fdd, tmp_path_factory) -> Path:
    """Return the folder of a run on the digits, for tests that write nothing in it."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    done = fdd("run", *QUICK, "--set", "server.models=mlp", "--out", folder)
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def digits(digits_once, tmp_path) -> Path:
    """Return a copy of the run on the digits."""
    return Path(shutil.copytree(digits_once, tmp_path / "digits"))


@pytest.fixture(scope="session")
def wine_once(fdd, tmp_path_factory) -> Path:
    """Return the folder of a run on a table with names, for tests that write nothing in it."""
    folder = tmp_path_factory.mktemp("runs") / "wine"
    frame = cast(Any, load_wine(as_frame=True)).frame
    frame["kind"] = frame.pop("target").map(dict(enumerate(("zero", "one", "two"))))
    frame.to_csv(folder.with_suffix(".csv"), index=False)
    data = ("data.name=table", f"data.path={folder.with_suffix('.csv')}", "data.label=kind")
    sets = [word for pair in data for word in ("--set", pair)]
    done = fdd("run", *QUICK, *sets, "--set", "partition.name=iid", "--out", folder)
    assert done.exit_code == 0, done.output
    return folder
