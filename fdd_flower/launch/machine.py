"""What this machine can give: cores and memory, as a container may limit them."""

from __future__ import annotations

import os
from pathlib import Path

CLIENT_GB = 1.0  # torch, Flower and a small data set in one worker process
CGROUP = Path("/sys/fs/cgroup")


def cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_gb() -> float:
    """Return the memory that is free, in GB of 10^9 bytes, the container's limit considered."""
    import psutil

    free = psutil.virtual_memory().available
    try:
        limit = int((CGROUP / "memory.max").read_text())
        free = min(free, limit - int((CGROUP / "memory.current").read_text()))
    except (OSError, ValueError):  # no such limit; "max" is no number
        pass
    return max(free, 0) / 1e9


def clients_at_once(num_clients: int, client_threads: int) -> tuple[int, int]:
    """Return how many clients to run at once, and the cores of each.

    No more than there are clients, than the cores hold, or than fit into memory: each is a
    process with torch in it, and Ray would start one a core.
    """
    each = min(client_threads, cores())
    fitting = min(cores() // each, int(free_gb() / CLIENT_GB))
    return max(1, min(num_clients, fitting)), each


def gpu_share(at_once: int, gpus: int) -> float:
    """Return the share of a GPU for each of `at_once` clients, who are spread over `gpus` evenly.

    Ray counts in ten-thousandths; rounded down, so that all of them fit.

    >>> gpu_share(4, 0), gpu_share(1, 1), gpu_share(3, 1), gpu_share(3, 2)
    (0.0, 1.0, 0.3333, 0.5)
    """
    return 10_000 // -(-at_once // gpus) / 10_000 if gpus else 0.0


def federation_config(num_clients: int, client_threads: int, *, gpus: int) -> str:
    """Return size and resources of a simulation, as `flwr run --federation-config` takes them.

    Parameters
    ----------
    gpus
        That the clients share; 0: they do not compute on any.
    """
    at_once, each = clients_at_once(num_clients, client_threads)
    return (
        f"num-supernodes={num_clients} client-resources-num-cpus={each} "
        f"client-resources-num-gpus={gpu_share(at_once, gpus)} "
        f"init-args-num-cpus={at_once * each}"
    )
