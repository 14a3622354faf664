"""Start the process of one distillation, and collect its result."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from fdd_flower.bench.distil.message import Made, load_made
from fdd_flower.bench.job import REFUSED, Job
from fdd_flower.errors import DistillError


def spawn(job: Job) -> Made:
    """Do `job` in a process of its own and return what it made.

    Raises
    ------
    DistillError
        If the distillation refused, broke down or was killed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "fdd_flower.bench.distil.worker"],
        input=job.to_json(),
        capture_output=True,
        text=True,
        errors="replace",
        env=environment(job.cfg.runtime.client_threads),
        check=False,
    )
    if done.returncode == 0:
        return load_made(Path(job.out))
    if done.returncode == REFUSED:
        raise DistillError(**json.loads(done.stdout.splitlines()[-1]))
    raise DistillError(
        f"process of {job.cfg.distiller.name}",
        expected="a distilled set",
        got=last_words(done.returncode, done.stderr),
        remedy="Repeat the distillation with smaller settings, or report this.",
    )


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
