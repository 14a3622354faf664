"""Thread counts: on busy cores, libraries left at their defaults fight and crawl."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from fdd_flower.allocator import keep_freed_memory


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Limit torch, BLAS and OpenMP to `count` threads inside the block.

    The count is part of a run's seed in effect: sums in another order round differently. The
    process also keeps the memory that it frees from now on (`allocator`).
    """
    from threadpoolctl import threadpool_limits

    keep_freed_memory()
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpool_limits(count):
            yield
    finally:
        torch.set_num_threads(before)
