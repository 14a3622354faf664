"""The most memory that a process has held."""

from __future__ import annotations

import ctypes
import gc
import sys
from contextlib import suppress
from pathlib import Path


def peak_bytes() -> int:
    """Return the peak resident memory of this process so far.

    On Linux that is `VmHWM`. `getrusage`'s `ru_maxrss` is not of the process alone: it outlives
    `exec`, so that a child of a large parent starts with the parent's peak (see getrusage(2)).
    """
    found = _status("VmHWM")
    if found is not None:
        return found
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def resident_bytes() -> int:
    """Return the resident memory of this process now; where nothing tells, its peak so far."""
    found = _status("VmRSS")
    return peak_bytes() if found is None else found


def give_back() -> None:
    """Give freed memory back to the system, where the C library can, so that it is not counted."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def peak_of(pid: int) -> int | None:
    """Return the peak resident memory of another process so far; None where nothing tells."""
    return _status("VmHWM", str(pid))


def _status(name: str, pid: str = "self") -> int | None:
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return None
