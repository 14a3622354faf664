"""One process at a time works on the folder of a run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fdd_flower.errors import ConfigError

WAIT_SECONDS = 15.0  # a run that was just killed needs a moment to let go
POLL_SECONDS = 0.1


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Keep other runs away from `folder` inside the block.

    The lock is on the folder itself, so it leaves no file, and the system lets go of it when
    the process ends, however that was. Where a system or a network disk has no such locks, this
    does nothing.

    Raises
    ------
    ConfigError
        If another process works on it and does not end within `WAIT_SECONDS`.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        until = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise _under_way(folder) from None
                time.sleep(POLL_SECONDS)
            except OSError:
                break
        yield
    finally:
        os.close(handle)


def _under_way(folder: Path) -> ConfigError:
    return ConfigError(
        f"run {folder}",
        expected="one that no process works on",
        got="one that is under way",
        remedy="Wait for its end, or end it; then resume it.",
    )
