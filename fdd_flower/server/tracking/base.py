"""What a tracker is, and what all of them are told."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Protocol

from fdd_flower.config import Config, Scalar, to_run_config
from fdd_flower.run_folder.rows import RoundRow, Summary

# paths of the server's machine, which a tracker elsewhere has no use for
_PATHS = ("resume", "output.dir", "data.path", "runtime.clients-file")


class Tracker(Protocol):
    """Writes rounds where a user looks at them. Any exception leaves it out of the run."""

    def round(self, row: RoundRow) -> None:
        """Write a round."""
        ...

    def end(self, summary: Summary) -> None:
        """Write how the run ended, and close."""
        ...


def measures(row: RoundRow) -> dict[str, float]:
    """Return the numbers of a round by name, as `rounds.jsonl` has them; the finite ones."""
    found = {item.name: getattr(row, item.name) for item in fields(row) if item.name != "round"}
    found |= row.metrics
    numbers = {name: value for name, value in found.items() if isinstance(value, int | float)}
    return {name: float(value) for name, value in numbers.items() if math.isfinite(value)}


def tracked_settings(cfg: Config) -> dict[str, Scalar]:
    """Return the settings of a run, but for paths of this machine."""
    return {key: value for key, value in to_run_config(cfg).items() if key not in _PATHS}
