"""What a user sees during a run: the marked lines of the log, a bar, and the error that ends it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from rich.text import Text

from fdd_flower.launch.bar import Bar
from fdd_flower.progress_log import DATA, MARK, NOTE, OUTPUT
from fdd_flower.report.console import SteadyConsole

ERROR = "error: "

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def marked(line: str) -> str | None:
    r"""Return what follows the mark in a line of Flower's log; None if it has no mark.

    >>> marked("\x1b[92mINFO \x1b[0m:      [fdd] round 1/3: accuracy 0.9")
    'round 1/3: accuracy 0.9'
    """
    _, found, text = _COLOURS.sub("", line).partition(MARK)
    return text.strip() if found else None


class Progress:
    """Prints progress, a line each; plain text where the output is no terminal.

    Parameters
    ----------
    to_stderr
        Leave stdout to a JSON document.

    Attributes
    ----------
    errors
        Errors shown so far, without their `error: `.
    """

    def __init__(self, *, to_stderr: bool = False) -> None:
        self.errors: list[str] = []
        self._bar: Bar | None = None
        self.console = SteadyConsole(stderr=to_stderr, highlight=False, soft_wrap=True)
        self._stderr = SteadyConsole(stderr=True, highlight=False, soft_wrap=True)

    def log_line(self, line: str) -> None:
        """Show `line` of Flower's log if it is marked; on a terminal a step moves the bar."""
        text = marked(line)
        # the folder is the last line of all, and not this one; of the data it was said before
        if text is None or text.startswith((OUTPUT, DATA, NOTE)):
            return
        if self._bar is not None and self._bar.move(text):
            return
        if text.startswith(ERROR):
            self.error(text.removeprefix(ERROR))
        else:
            self.say(text)

    def say(self, text: str) -> None:
        """Show `text`; a round's result stands out."""
        self.console.print(Text(text, style="bold" if " accuracy " in text else ""))

    @contextmanager
    def alive(self, text: str) -> Iterator[None]:
        """Show on a terminal, below all lines, that work is under way; elsewhere nothing."""
        if not self.console.is_terminal:
            yield
            return
        with self.console.status(Text(text, style="dim")):
            yield

    @contextmanager
    def bar(self, rounds: int) -> Iterator[None]:
        """Show on a terminal, below all lines, how far a run of `rounds` is; elsewhere nothing."""
        if not self.console.is_terminal:
            yield
            return
        with Bar(self.console, rounds) as self._bar:
            try:
                yield
            finally:
                self._bar = None

    def error(self, text: str) -> None:
        """Show `text` on stderr as the one line that names what went wrong, once."""
        text = " ".join(text.split())
        if text not in self.errors:
            self.errors.append(text)
            self._stderr.print(Text.assemble((ERROR, "bold red"), text))

    def note(self, text: str) -> None:
        """Show `text` on stderr, beside an error."""
        self._stderr.print(Text(text))


class _Handler(logging.Handler):
    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        self._progress.log_line(record.getMessage())


@contextmanager
def instead_of_flower_log(progress: Progress) -> Iterator[None]:
    """Show the marked lines of Flower's logger and nothing else of it."""
    logger = logging.getLogger("flwr")
    before, propagates, level = logger.handlers[:], logger.propagate, logger.level
    logger.handlers, logger.propagate = [_Handler(progress)], False
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before, propagates
        logger.setLevel(level)
