"""What a process keeps and limits: counted in page faults and threads, not in time."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from fdd_flower.threads import end_with_parent

# One process answers both questions: each would import torch for seconds.
ASK = """
import json, resource, torch
from fdd_flower.threads import keep_freed_memory, threads

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        a = torch.ones(12_000_000)  # 48 MB: glibc would map it anew each time
        b = a + 1
        del a, b
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def counts():
    from threadpoolctl import threadpool_info
    return {lib["filepath"]: lib["num_threads"] for lib in threadpool_info()}

given_back = faults()
asked = keep_freed_memory()
faults()
memory = [asked, given_back, faults()]
with threads(3):
    before = counts()
import sklearn.utils  # brings scikit-learn's own OpenMP
own = counts()
with threads(3):
    within = counts()
print(json.dumps([memory, [before, own, within, counts()]]))
"""


@pytest.fixture(scope="module")
def told() -> tuple[list[Any], list[dict[str, int]]]:
    out = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    memory, limits = json.loads(out.stdout)
    return memory, limits


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc alone is tuned")
def test_freed_memory_is_used_again(told):
    asked, given_back, kept = told[0]
    if not asked:
        pytest.skip("this C library has no mallopt")
    assert kept < given_back / 10


def test_a_library_that_is_loaded_later_is_limited_too(told):
    before, own, within, after = told[1]
    assert set(before) < set(own) == set(within)
    assert set(within.values()) == {3}
    assert after == own


def _worker(told: Connection) -> None:
    end_with_parent()
    told.send(os.getpid())
    time.sleep(60)


def _parent(told: Connection) -> None:
    """Start a worker, and end as by `kill -9` once it is up."""
    here, there = multiprocessing.Pipe()
    multiprocessing.get_context("fork").Process(target=_worker, args=(there,)).start()
    told.send(here.recv())
    os._exit(9)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_a_worker_ends_when_its_parent_was_killed():
    here, there = multiprocessing.Pipe()
    multiprocessing.get_context("fork").Process(target=_parent, args=(there,)).start()
    assert here.poll(10)
    worker, until = here.recv(), time.monotonic() + 10
    while _runs(worker) and time.monotonic() < until:
        time.sleep(0.02)
    assert not _runs(worker)


def _runs(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"
