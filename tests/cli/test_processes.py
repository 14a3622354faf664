"""A run's processes are ended, all of them and no others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from fdd_flower.launch.flower import processes
from fdd_flower.launch.flower.processes import end_run, with_variable

NAME = "FDD_TEST_TOKEN"
SLEEP = "import time; time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(); {SLEEP}"


@pytest.fixture
def start():
    """Return a function that starts Python with a token in its environment."""
    started = []

    def spawn(code: str, token: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, NAME: token},
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield spawn
    for process in started:
        process.kill()
        process.communicate()


def wait_until(condition, seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


def test_only_the_marked_are_ended(start):
    token = uuid4().hex
    mine, other = start(SLEEP, token), start(SLEEP, uuid4().hex)
    assert wait_until(lambda: [p.pid for p in with_variable(NAME, token)] == [mine.pid])
    end_run(NAME, token)
    assert mine.wait(1) == -signal.SIGTERM
    assert other.poll() is None


def test_what_does_not_listen_is_killed(start, monkeypatch):
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.2)
    token = uuid4().hex
    mine = start(STUBBORN, token)
    mine.stdout.readline()
    end_run(NAME, token)
    assert mine.wait(1) == -signal.SIGKILL


def test_a_child_without_the_token_and_an_orphan_with_it(start):
    token = uuid4().hex
    code = (
        "import os, subprocess, sys; "
        f"bare = {{k: v for k, v in os.environ.items() if k != {NAME!r}}}; "
        f"a = subprocess.Popen([sys.executable, '-c', {SLEEP!r}], env=bare); "
        f"b = subprocess.Popen([sys.executable, '-c', {SLEEP!r}], start_new_session=True); "
        f"print(a.pid, b.pid, flush=True); {SLEEP}"
    )
    parent = start(code, token)
    children = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
    end_run(NAME, token)
    assert parent.wait(1) != 0
    assert wait_until(lambda: not any(map(processes._lives, children)))


def test_no_process_is_no_error():
    end_run(NAME, uuid4().hex)


def test_the_keeper_acts_when_its_parent_is_killed(start, tmp_path):
    token, folder = uuid4().hex, tmp_path / "stage"
    folder.mkdir()
    mine = start(SLEEP, token)
    code = (
        "import sys, time; from pathlib import Path; sys.path[:0] = sys.argv[4:]; "
        "from fdd_flower.launch.flower.keeper import keeper\n"
        "with keeper(sys.argv[1], sys.argv[2], Path(sys.argv[3])):\n"
        "    print(flush=True); time.sleep(60)"
    )
    root = str(Path(processes.__file__).parents[2])
    launcher = subprocess.Popen(
        [sys.executable, "-c", code, NAME, token, str(folder), root], stdout=subprocess.PIPE
    )
    assert launcher.stdout is not None
    launcher.stdout.readline()
    launcher.kill()
    launcher.communicate()
    assert mine.wait(15) == -signal.SIGTERM
    assert wait_until(lambda: not folder.exists())
