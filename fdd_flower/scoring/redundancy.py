"""Redundancy: whether a set teaches anything that the one it resembles does not."""

from __future__ import annotations

from collections.abc import Mapping

from fdd_flower.device import wide
from fdd_flower.scoring.base import Embedded, Evidence, Finding
from fdd_flower.scoring.utility import explained
from fdd_flower.training.ridge import Gram

NOTHING = 0.005  # of the root records' targets


def redundancy(evidence: Evidence, copies: Mapping[str, Finding]) -> dict[str, Finding]:
    """Return what each suspected copy adds to its original, beyond sending the original twice.

    In shares of the root records' targets (`explained`), by these two sets alone: among many
    clients any one set adds little. None for sets that resemble no other. Suspect up to 0.005: of
    35 copies with a little noise none added more than 0.003, of 658 pairs of honest clients
    (digits, k-means, IID and Dirichlet 0.1) some 5 in a thousand added as little.
    """
    found = {}
    for client, copy in copies.items():
        if copy.beside is None:
            found[client] = Finding(None)
            continue
        original, own = copy.beside, evidence.parts[client]
        sums, rows = _sums(original), len(original)
        twice = explained(evidence.root, sums + sums, rows + rows)
        value = explained(evidence.root, sums + _sums(own), rows + len(own)) - twice
        suspect = value <= NOTHING
        found[client] = Finding(value, suspect, "to which it adds nothing" if suspect else "")
    return found


def _sums(part: Embedded) -> Gram:
    return Gram.of(wide(part.features), wide(part.targets))
