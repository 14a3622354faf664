"""The time that a distillation may take."""

from __future__ import annotations

import time

SHARE_TO_TEACH = 0.25  # of the budget, by when a local teacher is trained
SHARE_TO_PREPARE = 0.5  # of the budget, by when networks and statistics are there


class Clock:
    """Counts from its making; `seconds` is the whole budget.

    What is prepared asks `may_prepare`, what is optimised asks `progress`. Only a budget that
    binds changes a result: one that is not reached leaves it a function of the seed alone.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self._started = seconds, time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def may_prepare(self, done: int, started: float, *, share: float = SHARE_TO_PREPARE) -> bool:
        """Tell whether one more of what took `elapsed - started` seconds for `done` fits."""
        each = (self.elapsed - started) / max(1, done)
        return done == 0 or self.elapsed + each <= share * self.seconds

    def progress(self, step: int, steps: int) -> float:
        """Return the share of the work that is done, by steps or by time, whichever is more.

        The time counts as used up a little early, by the length of a mean step.
        """
        return max(step / steps, self.elapsed / self.seconds)
