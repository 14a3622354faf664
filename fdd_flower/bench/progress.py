"""The remaining time of a bench, estimated from finished tasks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

from fdd_flower.report.units import human_seconds

Say = Callable[[str], None]


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
