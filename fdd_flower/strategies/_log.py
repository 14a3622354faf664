"""One line of progress, marked so that `fdd run` finds it in Flower's log."""

from __future__ import annotations

import logging

MARK = "[fdd]"


def say(text: str) -> None:
    """Log `text`, one line, where Flower's own log goes."""
    logging.getLogger("flwr").info("%s %s", MARK, " ".join(text.split()))


def complain(text: str) -> None:
    """Log `text`, one line, as the error that ends the run."""
    logging.getLogger("flwr").error("%s error: %s", MARK, " ".join(text.split()))
