"""Memory that is freed stays with the process: counted in page faults, not in time."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

COUNT = """
import json, resource, torch
from fdd_flower.threads import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        a = torch.ones(12_000_000)  # 48 MB: glibc would map it anew each time
        b = a + 1
        del a, b
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

given_back = faults()
asked = keep_freed_memory()
faults()
print(json.dumps([asked, given_back, faults()]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc alone is tuned")
def test_freed_memory_is_used_again():
    out = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    asked, given_back, kept = json.loads(out.stdout)
    if not asked:
        pytest.skip("this C library has no mallopt")
    assert kept < given_back / 10


LATER = """
import json
from fdd_flower.threads import threads

def counts():
    from threadpoolctl import threadpool_info
    return {lib["filepath"]: lib["num_threads"] for lib in threadpool_info()}

with threads(3):
    before = counts()
import sklearn.utils  # brings scikit-learn's own OpenMP
own = counts()
with threads(3):
    within = counts()
print(json.dumps([before, own, within, counts()]))
"""


def test_a_library_that_is_loaded_later_is_limited_too():
    out = subprocess.run([sys.executable, "-c", LATER], capture_output=True, text=True, check=True)
    before, own, within, after = json.loads(out.stdout)
    assert set(before) < set(own) == set(within)
    assert set(within.values()) == {3}
    assert after == own
