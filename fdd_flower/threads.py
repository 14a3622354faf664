"""How a process uses the machine: thread counts, and memory that it keeps when it frees it."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # names of glibc's mallopt(3), from malloc.h
KEPT = 512 * 1024 * 1024  # bytes at the heap's end that are not given back


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Limit torch, BLAS and OpenMP to `count` threads inside the block.

    On busy cores, libraries left at their defaults fight and crawl. The count is part of a run's
    seed in effect: sums in another order round differently. The process also keeps the memory that
    it frees from now on (`keep_freed_memory`).
    """
    keep_freed_memory()
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with _libraries(len(sys.modules)).limit(limits=count):
            yield
    finally:
        torch.set_num_threads(before)


@lru_cache(maxsize=1)
def _libraries(modules: int) -> ThreadpoolController:
    """Return the libraries that run threads; looked for anew once `modules`, their count, changed.

    To look reads the whole memory map of the process. A library comes with a module.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def end_with_parent() -> None:
    """End this process when the one that started it by `multiprocessing` has ended, however.

    Workers of a parent that was killed would wait for work for ever, and keep their memory.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def keep_freed_memory() -> bool:
    """Let this process keep up to 512 MiB that it has freed; tell whether it could be asked for.

    glibc gives a tensor of some megabytes back to the system when it is freed, and takes it anew
    at the next step, page by page. In a distillation that was a third of the time on a virtual
    machine (docs/decisions/0004-a-teacher-from-the-set.md). Other C libraries are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl has none
        return False
    # Mapped chunks are always given back: none is mapped.
    return bool(mallopt(MMAP_MAX, 0)) and bool(mallopt(TRIM_THRESHOLD, KEPT))
