"""Which clients can send anything, and which classes: known before a run begins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fdd_flower.config import Config
from fdd_flower.data.base import shown
from fdd_flower.errors import ConfigError
from fdd_flower.methods.base import Method
from fdd_flower.wording import many

MUCH = 0.1  # of a class's records withheld, above which it is said


def check_reach(
    cfg: Config, method: Method, classes: Sequence[str], counts: Sequence[np.ndarray]
) -> list[str]:
    """Return which clients and classes send nothing, a line each.

    Without a `privacy.mode` a client withholds a class of fewer than `distiller.min-records`.

    Parameters
    ----------
    counts
        Records per class of each client.

    Raises
    ------
    ConfigError
        If fewer clients than `strategy.quorum` have anything to send.
    """
    if not (method.distils or method.condenses) or cfg.privacy.mode != "none":
        return []
    least, held = cfg.distiller.min_records, np.stack(counts)
    enough = held >= least
    able = int(enough.any(axis=1).sum())
    if able < cfg.strategy.quorum:
        raise ConfigError(
            "distiller.min-records",
            expected=f"clients with {many(least, 'record')} of a class: "
            f"{cfg.strategy.quorum} at least, which is strategy.quorum",
            got=f"{able} of {len(held)}; the most of a class at any client are {held.max()}",
            remedy="Run fewer clients, collect more records, or lower distiller.min-records.",
        )
    lines, lost = [], ~enough.any(axis=0) & (held.sum(axis=0) > 0)
    if lost.any():
        names = shown([classes[i] for i in map(int, lost.nonzero()[0])], limit=5)
        lines.append(f"no client has {many(least, 'record')} of {names}: nobody sends any")
    total, sent = held.sum(axis=0), np.where(enough, held, 0).sum(axis=0)
    partly = (sent > 0) & (sent < (1 - MUCH) * total)
    if partly.any():
        told = [
            f"{classes[i]} ({sent[i]:,} of {total[i]:,})" for i in map(int, partly.nonzero()[0])
        ]
        lines.append(
            f"only clients with {many(least, 'record')} of a class send it: {shown(told, limit=5)}"
        )
    if able < len(held):
        unable = len(held) - able
        lines.append(
            f"without {many(least, 'record')} of any class, and so unusable: {unable} of "
            f"{many(len(held), 'client')}"
        )
    return lines
