"""The time that a distillation may take."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from fdd_flower.device import HOST

SHARE_TO_TEACH = 0.25  # of the budget, by when a local teacher is trained
SHARE_TO_START = 0.25  # of the budget, for the rows that optimisation starts from
SHARE_TO_PREPARE = 0.5  # of the budget, by when networks and statistics are there
SHARE_TO_FINISH = 0.25  # of the budget, for labels that are solved when the rows are there
SHARE_AT_LEAST = 0.1  # of the budget, for a task that the ones before it left no time


class Clock:
    """Counts from its making; `seconds` is the whole budget.

    What is prepared asks `may_prepare`, what is optimised asks `progress`, and what could take too
    long in one piece asks `repeats`. Only a budget that binds changes a result: one that is not
    reached leaves it a function of the seed alone.

    Attributes
    ----------
    ends
        Seconds by when the rows must be there.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self._started = seconds, time.monotonic()
        self._began, self.ends = 0.0, seconds

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def keep(self, share: float) -> None:
        """Keep a share of the budget for what comes after the rows."""
        self.ends = (1 - share) * self.seconds

    def until(self, share: float) -> float:
        """Return the second at which `share` of the budget is over, but leave some time at all."""
        return max(share * self.seconds, self.elapsed + SHARE_AT_LEAST * self.seconds)

    def turns(self, count: int, until: float) -> list[float]:
        """Return by which second each of `count` tasks must end for the last to end at `until`."""
        now = self.elapsed
        return [now + (until - now) * (done + 1) / count for done in range(count)]

    def repeats(self, pilot: Callable[[], object], *, until: float) -> float:
        """Do `pilot`, a small part of a task, and return how often it fits before `until`."""
        started = self.elapsed
        pilot()
        now = self.elapsed
        return (until - now) / max(now - started, 1e-9)

    def may_prepare(self, done: int, started: float, *, share: float = SHARE_TO_PREPARE) -> bool:
        """Tell whether one more of what took `elapsed - started` seconds for `done` fits."""
        each = (self.elapsed - started) / max(1, done)
        return done == 0 or self.elapsed + each <= share * self.seconds

    def progress(self, step: int, steps: int) -> float:
        """Return the share of the work that is done: of the steps or, if they do not fit, of time.

        Time is what was left when step 0 began, and the mean step so far tells whether steps fit.
        A budget that does not bind must not touch the schedule: rates that follow a clock, by
        however little, differ from run to run.
        """
        now = self.elapsed
        if step == 0:
            self._began = now
            return 0.0
        used, room = now - self._began, self.ends - self._began
        if used / step * steps <= room:
            return step / steps
        return max(step / steps, min(1.0, used / room)) if room > 0 else 1.0


def evenly(count: int, most: int, *, device: torch.device = HOST) -> Tensor:
    """Return up to `most` of the places 0 to count - 1, evenly spaced: int64, on `device`."""
    kept = min(count, most)
    return torch.arange(kept, device=device) * count // kept
