"""Workers of a bench: a process for each job, whose memory and libraries are its own.

A job comes on stdin as a line of JSON; the answer leaves as the last line of stdout.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from fdd_flower.errors import FddError

REFUSED = 3  # exit status of a job that ended with an error of its own


class DiedError(Exception):
    """A worker that broke down or was killed; the message says how it ended."""


def ask(module: str, job: str, *, threads: int) -> Any:
    """Let the worker `module` do `job` in a process of its own and return its answer.

    Raises
    ------
    FddError
        The worker's own, if it refused.
    DiedError
        If it did not come to an answer.
    """
    done = subprocess.run(
        [sys.executable, "-m", module],
        input=job,
        capture_output=True,
        text=True,
        errors="replace",
        env=environment(threads),
        check=False,
    )
    if done.returncode not in (0, REFUSED):
        raise DiedError(last_words(done.returncode, done.stderr))
    found = json.loads(done.stdout.splitlines()[-1])
    if done.returncode == REFUSED:
        raise FddError(**found)
    return found


def answer(do: Callable[[str], object]) -> int:
    """Do the job on stdin, and leave what `do` returns, or its error; return the exit status."""
    status = 0
    try:
        told = do(sys.stdin.read())
    except FddError as error:
        status = REFUSED
        told = {
            "what": error.what,
            "expected": error.expected,
            "got": str(error.got),
            "remedy": error.remedy,
        }
    sys.stdout.write("\n" + json.dumps(told) + "\n")
    return status


def environment(threads: int) -> dict[str, str]:
    """Return the environment of a worker of `threads` threads, which finds the same packages."""
    count = str(threads)
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(map(os.path.abspath, sys.path))),
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
    }


def last_words(status: int, stderr: str) -> str:
    """Return how a process that failed ended: its signal, or its status and last message."""
    if status < 0:
        name = str(-status)
        with suppress(ValueError):
            name = signal.Signals(-status).name
        memory = ", as the system does when memory runs out" if name == "SIGKILL" else ""
        return f"a process ended by {name}{memory}"
    words = stderr.strip().splitlines()
    return f"exit status {status}: {words[-1][:300] if words else 'no message'}"
