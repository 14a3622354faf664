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
        self._began = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def may_prepare(self, done: int, started: float, *, share: float = SHARE_TO_PREPARE) -> bool:
        """Tell whether one more of what took `elapsed - started` seconds for `done` fits."""
        each = (self.elapsed - started) / max(1, done)
        return done == 0 or self.elapsed + each <= share * self.seconds

    def progress(self, step: int, steps: int) -> float:
        """Return the share of the work that is done: of the steps or, if they will not fit, of the
        time that was left when step 0 began.

        By the mean step so far. A budget that does not bind must not touch the schedule: rates
        that follow a clock, by however little, differ from run to run.
        """
        now = self.elapsed
        if step == 0:
            self._began = now
            return 0.0
        used, room = now - self._began, self.seconds - self._began
        if used / step * steps <= room:
            return step / steps
        return max(step / steps, min(1.0, used / room)) if room > 0 else 1.0
