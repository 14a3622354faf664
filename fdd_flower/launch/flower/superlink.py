"""A SuperLink for one run alone, on a free port."""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psutil

from fdd_flower.errors import LaunchError
from fdd_flower.launch.flower.environment import TOKEN, program
from fdd_flower.launch.flower.processes import end_run
from fdd_flower.launch.flower.staging import Stage

HOST = "127.0.0.1"
ATTEMPTS = 3
START_SECONDS = 90.0
POLL_SECONDS = 0.1


@contextmanager
def superlink(stage: Stage, env: Mapping[str, str]) -> Iterator[int]:
    """Run a SuperLink for simulation inside the block; yields its port once it answers.

    In simulation it binds this one port: Fleet, Control and Runtime APIs share it. Afterwards
    it is ended, with every other process that carries the run's token of `env`.

    Raises
    ------
    LaunchError
        If there is no free port, or it does not come up.
    """
    status: int | None = None
    for _ in range(ATTEMPTS):
        port = free_port()
        process = _spawn(stage, env, port)
        try:
            if _comes_up(process, port):
                yield port
                return
            status = process.poll()
        finally:
            end_run(TOKEN, env[TOKEN])
            process.wait()
        if status is None:
            raise _failed(f"none within {START_SECONDS:g} s")
        # It ended by itself: another process may have taken the port in between.
    raise _failed(f"exit status {status}")


def free_port() -> int:
    """Return a TCP port of the loopback that nobody listens on.

    Raises
    ------
    LaunchError
        If there is none.
    """
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((HOST, 0))
            return probe.getsockname()[1]
    except OSError as error:
        raise LaunchError(
            "a TCP port on 127.0.0.1",
            expected="a free one",
            got=error.strerror or str(error),
            remedy="Close programs that listen on ports, or run with --in-process.",
        ) from error


def _spawn(stage: Stage, env: Mapping[str, str], port: int) -> subprocess.Popen[bytes]:
    command = [
        program("flower-superlink"),
        "--simulation",
        "--insecure",
        "--isolation",
        "subprocess",
        "--host",
        HOST,
        "--port",
        str(port),
    ]
    with stage.log.open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=stage.cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C reaches this program only, which then ends the others in order
            start_new_session=True,
        )


def _comes_up(process: subprocess.Popen[bytes], port: int) -> bool:
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        if _listens(process.pid, port) and _healthy(port):
            return True
        time.sleep(POLL_SECONDS)
    return False


def _listens(pid: int, port: int) -> bool:
    """Whether it is `pid` itself that listens: another run's SuperLink would answer too."""
    with contextlib.suppress(psutil.Error):
        return any(
            connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
            for connection in psutil.Process(pid).net_connections(kind="tcp")
        )
    return False


def _healthy(port: int) -> bool:
    # http.client asks no proxy, whatever the environment says
    connection = http.client.HTTPConnection(HOST, port, timeout=1.0)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _failed(got: str) -> LaunchError:
    return LaunchError(
        "flower-superlink",
        expected=f"an answer on {HOST}",
        got=got,
        remedy="See the log, ask `fdd doctor`, or run with --in-process.",
    )
