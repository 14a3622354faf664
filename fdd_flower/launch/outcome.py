"""Whether a run completed, by the files it left and by what Flower says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fdd_flower.run_folder.run_dir import RunDir


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes
    ----------
    reason
        Why it did not complete; empty if it did, or if its log has said so.
    log
        The log that was kept, if one was.
    error
        What ended a run in this process.
    """

    completed: bool
    reason: str = ""
    log: Path | None = None
    error: BaseException | None = None


def recorded_status(folder: Path) -> str | None:
    """Return the status in the run's own summary, "completed" or what went wrong.

    None if there is no readable summary: the run was killed, or ended before it began.
    """
    return RunDir(folder).status()
