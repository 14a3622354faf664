"""The most memory that a process has held."""

from __future__ import annotations

import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_bytes() -> int:
    """Return the peak resident memory of this process so far.

    On Linux that is `VmHWM`. `getrusage`'s `ru_maxrss` is not of the process alone: it outlives
    `exec`, so that a child of a large parent starts with the parent's peak (see getrusage(2)).
    """
    if STATUS.exists():
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
