"""Ends a run's processes if the program that started them dies without doing so.

A killed `fdd run` cannot tidy up, and Flower's daemons would stay. This small process waits
for the end of its standard input, which comes when its parent is gone, however it went.

Run as a program of its own, which imports psutil and nothing else of weight.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fdd_flower


@contextmanager
def keeper(token_name: str, token: str, folder: Path) -> Iterator[None]:
    """Keep watch inside the block over the processes marked with `token`, and `folder`."""
    # the package's parent first, for a checkout that is not installed
    paths = [str(Path(fdd_flower.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, token_name, token, str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        # The parent lived to do the work itself.
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def main(token_name: str, token: str, folder: str) -> None:
    """Wait for the parent's end, then end the run."""
    from fdd_flower.launch.flower.processes import end_run

    sys.stdin.buffer.read()
    end_run(token_name, token)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
