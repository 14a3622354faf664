"""Seeded randomness: every draw comes from a named stream of the run's seed."""

from __future__ import annotations

import hashlib

import numpy as np
import torch


def derive(seed: int, *names: object) -> int:
    """Return a seed in [0, 2**63) that depends on `seed` and every name, in order.

    >>> derive(0, "client", 3, 1) == derive(0, "client", 3, 1)
    True
    >>> derive(0, "client", 3, 1) == derive(0, "client", 1, 3)
    False
    """
    text = "/".join([str(int(seed)), *(str(name) for name in names)])
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def stream(seed: int, *names: object) -> torch.Generator:
    """Return a CPU generator for the stream called `names` of the run's `seed`."""
    return torch.Generator().manual_seed(derive(seed, *names))


def numpy_stream(seed: int, *names: object) -> np.random.Generator:
    """Return a numpy generator for the stream called `names` of the run's `seed`."""
    return np.random.default_rng(derive(seed, *names))


def fork(generator: torch.Generator) -> int:
    """Draw a seed in [0, 2**31) from `generator`, for a library that takes integers."""
    return int(torch.randint(2**31 - 1, (), generator=generator))
