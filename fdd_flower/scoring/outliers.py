"""Outliers: how far a client's class means are from the root's, beside those of the others."""

from __future__ import annotations

import torch
from torch import Tensor

from fdd_flower.device import wide
from fdd_flower.scoring.base import Evidence, Finding

OUTLIER = 3.5  # the usual bound of such scores (Iglewicz and Hoaglin 1993)
TO_SIGMA = 1.4826  # median absolute deviation to standard deviation, of normal values


def outliers(evidence: Evidence) -> dict[str, Finding]:
    """Return each client's distance in its farthest class, in robust standard deviations.

    The distance is that of the mean features of a client's rows of a class from those of the
    root records: a middle of the clients' means would be theirs who collude, where few hold a
    class. It is told in median absolute deviations above the median, over all clients and
    classes. None where a client has no class with root records. An honest client with other data
    is an outlier too: this says nothing alone. Suspect above `OUTLIER`.
    """
    clients: list[str] = []
    away: list[float] = []
    root = evidence.root
    for label in range(len(root.recall)):
        held = root.targets[:, label] > 0
        if not held.any():
            continue
        middle = root.features[held].mean(dim=0)
        for client, part in evidence.parts.items():
            rows = part.labels == label
            if rows.any():
                mean = wide(part.features[rows]).mean(dim=0)
                clients.append(client)
                away.append(float((mean - middle).norm()))
    worst: dict[str, float] = {}
    for client, value in zip(clients, robust_scores(torch.tensor(away)), strict=True):
        worst[client] = max(float(value), worst.get(client, -torch.inf))
    return {client: _finding(worst.get(client)) for client in evidence.parts}


def robust_scores(values: Tensor) -> Tensor:
    """Return `values` (m,), from 0, in robust standard deviations above their median: (m,)."""
    if not len(values):
        return values
    above = values - values.median()
    return above / (TO_SIGMA * above.abs().median()).clamp_min(1e-6 * float(values.max()) + 1e-30)


def _finding(value: float | None) -> Finding:
    if value is None or value <= 0:
        return Finding(value)
    why = f"a class mean is {value:.1f} robust deviations too far off"
    # Cantelli's inequality: at most this share of any distribution is so far above its mean
    return Finding(value, value > OUTLIER, why, 1 / (1 + value**2))
