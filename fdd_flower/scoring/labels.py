"""Label agreement: how often the root model gives a row the class that the client gives it."""

from __future__ import annotations

import torch
from torch import Tensor

from fdd_flower.device import wide
from fdd_flower.scoring.base import Evidence, Finding

SIGNIFICANCE = 0.05  # chance below which labels are called wrong: the usual level of a test


def label_agreement(evidence: Evidence) -> dict[str, Finding]:
    """Return the share of each client's rows whose label the root model gives too, 0 to 1.

    Held against how often the root model is right about real records of the same classes
    (`Root.recall`), by the chance that an honest set agrees so rarely: over all rows, and class by
    class, so that a few bad rows among many good ones show. Suspect where that chance is below
    `SIGNIFICANCE`. Rows of classes without root records are not counted.
    """
    root, found = evidence.root, {}
    for client, part in evidence.parts.items():
        labels = part.labels
        agrees = (wide(part.features) @ root.coefficients).argmax(dim=1) == labels
        known = ~root.recall[labels].isnan()
        if not known.any():
            found[client] = Finding(None)
            continue
        chance = _chance(agrees[known], labels[known], root.recall)
        share, suspect = float(wide(agrees[known]).mean()), chance < SIGNIFICANCE
        why = f"{share:.0%} of its labels agree with the root model" if chance < 1 else ""
        found[client] = Finding(share, suspect, why, chance)
    return found


def _chance(agrees: Tensor, labels: Tensor, recall: Tensor) -> float:
    """Return the chance of agreeing so rarely, in all or in the worst class."""
    held = labels.unique()
    worst = min(lower_tail(agrees[labels == label], float(recall[label])) for label in held)
    whole = lower_tail(agrees, float(recall[labels].mean()))
    # two tests, and one of the second a class: Bonferroni
    return min(1.0, 2 * min(whole, len(held) * worst))


def lower_tail(agrees: Tensor, share: float) -> float:
    """Return the chance of at most so many hits in n draws of chance `share`, in (0, 1).

    Draws of different chances spread less than draws of their mean, so that for fewer hits than
    expected the binomial tail is an upper bound (Hoeffding 1956,
    https://doi.org/10.1214/aoms/1177728178).
    """
    n, hits = len(agrees), int(agrees.sum())
    j = torch.arange(hits + 1, dtype=torch.float64)
    size = torch.tensor(float(n), dtype=torch.float64)
    ways = torch.lgamma(size + 1) - torch.lgamma(j + 1) - torch.lgamma(size - j + 1)
    odds = torch.tensor([share, 1 - share], dtype=torch.float64).log()
    return min(1.0, float(torch.logsumexp(ways + j * odds[0] + (size - j) * odds[1], dim=0).exp()))
