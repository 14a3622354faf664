"""A request to stop, from the keyboard or from elsewhere, as one exception."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(BaseException):
    """Someone asked the run to stop; no `except Exception` on the way may swallow it.

    Attributes
    ----------
    exit_status
        128 and the signal's number, as a shell reports it: 130 for Ctrl-C.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.exit_status = 128 + signum


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Raise `Stopped` inside the block, once, at Ctrl-C, SIGTERM or a closed terminal.

    Later signals are ignored: they would interrupt the tidying up.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = [getattr(signal, name) for name in names]
    before = {number: signal.getsignal(number) for number in numbers}

    def stop(signum: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise Stopped(signum)

    # what a caller ignores, as nohup does, stays ignored
    for number in numbers:
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
