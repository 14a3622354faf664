"""A bar that says how far a run is and how long it will take, moved by the lines of its log."""

from __future__ import annotations

import re
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from fdd_flower.wording import many

_REPLY = re.compile(r"client (\d+)/(\d+) replied")
_STEP = re.compile(r"round (\d+): training .*, step (\d+)/(\d+)$")
_ROUND = re.compile(r"round (\d+)/\d+: .*accuracy")
_RESUMED = re.compile(r"resuming after round (\d+) of")
WINDOW = 3600.0  # seconds of the past that the time left is estimated from


class Bar:
    """One bar over all rounds: half of a round is the clients' work, half the training.

    Parameters
    ----------
    rounds
        Of the whole run.
    """

    def __init__(self, console: Console, rounds: int) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            transient=True,
            speed_estimate_period=WINDOW,
        )
        self._rounds, self._done = rounds, 0
        self._task = self._progress.add_task("starting", total=float(rounds))

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def move(self, text: str) -> bool:
        """Move to where `text`, a line of progress, says that the run is.

        Returns
        -------
        bool
            Whether the bar has told all of it.
        """
        if found := _REPLY.match(text):
            done, total = int(found[1]), int(found[2])
            self._to(done / total / 2, f"{done} of {many(total, 'client')}")
            return True
        if found := _STEP.match(text):
            done, total = int(found[2]), int(found[3])
            self._to((1 + done / total) / 2, "training")
            return True
        if found := _ROUND.match(text) or _RESUMED.match(text):
            self._done = int(found[1])
            self._to(0.0, "done" if self._done == self._rounds else "asking the clients")
        return False

    def _to(self, share: float, what: str) -> None:
        number = min(self._done + 1, self._rounds)
        # several models may be trained in a round: a bar never goes back
        before = self._progress.tasks[self._task].completed
        self._progress.update(
            self._task,
            completed=max(before, self._done + share),
            description=f"round {number} of {self._rounds}: {what}",
        )
