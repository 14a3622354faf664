"""Finding and ending the processes of one run, and no others."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable

import psutil

GRACE_SECONDS = 3.0
SWEEPS = 3  # a process may start another while it is being ended

_GONE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess)


def with_variable(name: str, value: str) -> list[psutil.Process]:
    """Return the processes that were started with `name=value` in their environment.

    Ray's daemons outlive the process that started them and then have another parent, but
    keep their environment.
    """
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(*_GONE, OSError):
            if process.environ().get(name) == value:
                found.append(process)
    return found


def end_run(token_name: str, token: str) -> None:
    """End every process of the run that `token` marks, and all that these have started."""
    for _ in range(SWEEPS):
        processes = set(with_variable(token_name, token))
        for process in list(processes):
            with contextlib.suppress(*_GONE):
                processes |= set(process.children(recursive=True))
        if not any(map(_lives, processes)):
            return
        end(processes)


def end(processes: Iterable[psutil.Process]) -> None:
    """Ask each process to end; after a moment of grace, end it."""
    processes = list(processes)
    _each(processes, psutil.Process.terminate)
    _wait(processes)
    _each(filter(_lives, processes), psutil.Process.kill)
    _wait(processes)


def _each(processes: Iterable[psutil.Process], act: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        with contextlib.suppress(*_GONE):
            act(process)


def _wait(processes: list[psutil.Process]) -> None:
    until = time.monotonic() + GRACE_SECONDS
    while any(map(_lives, processes)) and time.monotonic() < until:
        time.sleep(0.05)


def _lives(process: psutil.Process) -> bool:
    # A zombie has ended. In a container whose first process reaps nothing it stays for good,
    # so that to wait for its pid to vanish would be to wait for ever.
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except _GONE:
        return False
