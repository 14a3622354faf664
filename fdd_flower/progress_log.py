"""One line of progress, marked so that `fdd run` finds it in Flower's log."""

from __future__ import annotations

import logging
from collections.abc import Callable

MARK = "[fdd]"
DATA, NOTE = "data: ", "note: "  # begin lines about what the server has read
OUTPUT = "output: "  # begins the last line


def say(text: str) -> None:
    """Log `text`, one line, where Flower's own log goes."""
    logging.getLogger("flwr").info("%s %s", MARK, " ".join(text.split()))


def say_steps(text: str) -> Callable[[int, int], None]:
    """Return what gets (steps done, steps in all), and logs `text` with them at every quarter.

    Training that has converged ends earlier: steps in all may get fewer on the way.
    """
    quarters = 0

    def told(done: int, total: int) -> None:
        nonlocal quarters
        if 4 * done // total > quarters:
            quarters = 4 * done // total
            say(f"{text}, step {done}/{total}")

    return told


def complain(text: str) -> None:
    """Log `text`, one line, as the error that ends the run."""
    logging.getLogger("flwr").error("%s error: %s", MARK, " ".join(text.split()))
