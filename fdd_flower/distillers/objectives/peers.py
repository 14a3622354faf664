"""Other classes beside a client's own, which joint distillers need."""

from __future__ import annotations

from fdd_flower.distillers.parts.pipeline import Job
from fdd_flower.errors import DistillError
from fdd_flower.synthetic_set import SyntheticSet


def contrast(job: Job) -> SyntheticSet | None:
    """Return the other clients' rows if the settings ask for them, else None.

    Raises
    ------
    DistillError
        If there is one class in all, under which every target is the same.
    """
    peers = job.plan.peers if job.cfg.peers else None
    known = set(job.labels) | (set(peers.labels.tolist()) if peers is not None else set())
    if len(known) == 1:
        raise DistillError(
            f"classes for {job.cfg.name} to tell apart",
            expected="at least two",
            got="one: a joint objective on one class is constant",
            remedy="Set distiller.peers = true, or choose a class-wise distiller such as dm.",
        )
    return peers
