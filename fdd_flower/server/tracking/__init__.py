"""Rounds told to a tracker of experiments as they happen; a tracker never ends a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from fdd_flower.config import Config
from fdd_flower.errors import ConfigError
from fdd_flower.progress_log import say
from fdd_flower.report.units import one_line
from fdd_flower.run_folder.rows import RoundRow, Summary
from fdd_flower.server.tracking.base import Tracker

# name, which is that of the pip extra too -> packages that it needs
NEEDED = {
    "tensorboard": ("tensorboard",),
    "mlflow": ("mlflow", "sqlalchemy", "alembic"),
}


def check_track(track: str) -> list[str]:
    """Return the trackers that `output.track` names.

    Raises
    ------
    ConfigError
        If one is unknown or named twice, or a package that it needs is not installed.
    """
    names = [name.strip() for name in track.split(",")] if track else []
    if not set(names) <= set(NEEDED) or len(set(names)) < len(names):
        raise ConfigError(
            "output.track",
            expected=f"{', '.join(NEEDED)}, both with a comma between, or nothing",
            got=repr(track),
            remedy="Write, say, output.track=tensorboard.",
        )
    for name in names:
        missing = [package for package in NEEDED[name] if find_spec(package) is None]
        if missing:
            raise ConfigError(
                "output.track",
                expected=f"what {name} needs to be installed",
                got=f"no package {', '.join(missing)}",
                remedy=f"Install it with: pip install 'fdd-flower[{name}]'.",
            )
    return names


_LONGEST = 200  # letters of an error


class Tracking:
    """The trackers of a run. One that fails is left out from then on, with one line in the log.

    Parameters
    ----------
    folder
        Of the run.
    rows
        Rounds that are done already, of a run that is resumed.
    """

    def __init__(self, cfg: Config, folder: Path, rows: Sequence[RoundRow] = ()) -> None:
        self._trackers: dict[str, Tracker] = {}
        for name in check_track(cfg.output.track):
            self._guard(name, lambda name=name: self._open(name, cfg, folder, rows))

    def _open(self, name: str, cfg: Config, folder: Path, rows: Sequence[RoundRow]) -> None:
        # a server that cannot be reached must not hold up the rounds for minutes
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        module = import_module(f"fdd_flower.server.tracking._{name}")
        self._trackers[name] = module.open_tracker(cfg, folder, rows)

    def round(self, row: RoundRow) -> None:
        """Tell of a round that is done."""
        for name, tracker in list(self._trackers.items()):
            self._guard(name, lambda tracker=tracker: tracker.round(row))

    def end(self, summary: Summary) -> None:
        """Tell how the run ended, and close the trackers."""
        for name, tracker in list(self._trackers.items()):
            self._guard(name, lambda tracker=tracker: tracker.end(summary))
        self._trackers = {}

    def _guard(self, name: str, tell: Callable[[], None]) -> None:
        try:
            tell()
        except Exception as error:  # a tracker's own, of any kind
            self._trackers.pop(name, None)
            why = one_line(f"{type(error).__name__}: {error}", _LONGEST)
            say(f"warning: {name} no longer follows this run: {why}")
