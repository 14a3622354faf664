"""What became of the clients' replies."""

from __future__ import annotations

from collections.abc import Sequence

from fdd_flower.ledger import QUARANTINED, REJECTED, Entry
from fdd_flower.report.ledger_table import SCORES, score_cells, scored
from fdd_flower.report.page.elements import Raw, section, table
from fdd_flower.report.units import human_bytes, one_line

_MAX_REJECTED = 200


def rejected(entries: Sequence[Entry]) -> Raw:
    """Return the replies that were refused, and why."""
    refused = [entry for entry in entries if entry.verdict == REJECTED]
    if not refused:
        return section("Rejected replies", "None.")
    rows = [
        (
            entry.round,
            one_line(entry.client, 60),
            one_line(entry.code, 40),
            one_line(entry.reason, 500),
            human_bytes(entry.bytes),
        )
        for entry in refused[:_MAX_REJECTED]
    ]
    cut = f" The first {_MAX_REJECTED} are shown." if len(refused) > _MAX_REJECTED else ""
    return section(
        "Rejected replies",
        f"Refused, with no part in the result: {len(refused)}.{cut}",
        table(("round", "client", "code", "reason", "size"), rows, numbers=(0, 4)),
    )


def scores(entries: Sequence[Entry]) -> Raw | None:
    """Return what accepted sets were found to be worth."""
    # quarantined sets first, and then those that harmed most
    order = sorted(scored(entries), key=lambda e: (e.verdict != QUARANTINED, e.score or 0.0))
    if not order:
        return None
    rows = [
        (
            entry.round,
            one_line(entry.client, 60),
            *score_cells(entry),
            entry.verdict,
            one_line(entry.reason, 500),
        )
        for entry in order[:_MAX_REJECTED]
    ]
    aside = sum(entry.verdict == QUARANTINED for entry in order)
    cut = f" The first {_MAX_REJECTED} are shown." if len(order) > _MAX_REJECTED else ""
    return section(
        "Scores of the sets",
        f"Scored: {len(order)}; in quarantine, with no part in the result: {aside}.{cut} Utility "
        "is what a set adds to a cheap model of all sets, on the server's root records; labels, "
        "the share of its labels that a model of those records gives too; outlier, how far a class "
        "mean is off, in robust deviations; copied, the share of its rows that are near another "
        "client's.",
        table(("round", "client", *SCORES, "verdict", "reason"), rows, numbers=(0, 2, 3, 4, 5)),
    )
