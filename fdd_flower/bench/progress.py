"""The tasks of a bench, one after another, and the time they will still take."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from fdd_flower.report.units import human_seconds

Say = Callable[[str], None]
Task = TypeVar("Task", bound=Hashable)
Row = TypeVar("Row")


def one_by_one(
    tasks: Sequence[Task],
    do: Callable[[Task], Row],
    *,
    done: Mapping[Task, Row],
    kind: Callable[[Task], str],
    keep: Callable[[list[Row]], None],
    line: Callable[[Row], str],
    say: Say,
) -> list[Row]:
    """Do `tasks` but those `done`, no two at a time, so that no timing disturbs another.

    Parameters
    ----------
    kind
        Tasks of a kind take about as long.
    keep
        Gets all rows so far, in the order of the tasks, after each task and in the end.
    line
        A row in words, which `say` gets with the time left.
    """
    progress, rows = Progress(Counter(map(kind, tasks)), say), dict(done)
    for task in done:
        progress.skip(kind(task))
    for task in tasks:
        if task in rows:
            continue
        started = time.monotonic()
        rows[task] = do(task)
        keep([rows[each] for each in tasks if each in rows])
        progress.done(kind(task), time.monotonic() - started, line(rows[task]))
    found = [rows[task] for task in tasks]
    keep(found)
    return found


class Progress:
    """Tells each task that is done, and the time left.

    Parameters
    ----------
    tasks
        How many tasks there are of each kind: tasks of a kind take about as long.
    say
        Gets a line each.
    """

    def __init__(self, tasks: Mapping[str, int], say: Say) -> None:
        self._left = Counter(dict(tasks))
        self._all = sum(self._left.values())
        self._took: defaultdict[str, list[float]] = defaultdict(list)
        self.say = say

    def done(self, kind: str, seconds: float, text: str) -> None:
        """Count a task that took `seconds`, and tell it."""
        self._took[kind].append(seconds)
        self.skip(kind)
        left = self.left
        rest = f"; about {human_seconds(left)} left" if left else ""
        self.say(f"[{self._all - sum(self._left.values())}/{self._all}] {text}{rest}")

    def skip(self, kind: str) -> None:
        """Count a task that need not be done."""
        self._left[kind] = max(0, self._left[kind] - 1)

    @property
    def left(self) -> float:
        """Seconds that the tasks left will take; of a kind not seen yet, the mean of all."""
        every = [seconds for took in self._took.values() for seconds in took]
        mean = sum(every) / len(every) if every else 0.0
        return sum(
            count * (sum(self._took[kind]) / len(self._took[kind]) if self._took[kind] else mean)
            for kind, count in self._left.items()
        )
