"""The ledger of a run as a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.table import Table
from rich.text import Text

from fdd_flower.ledger import Entry
from fdd_flower.report.units import human_bytes, human_number, human_share, one_line

SCORES = ("utility", "labels", "outlier", "copied")
HASH_DIGITS = 12  # of 64; enough to find a file by


def ledger_table(entries: Iterable[Entry]) -> Table:
    """Return a table with one line per reply: from whom, its verdict, and why."""
    table = Table(title="Ledger", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("round", "client", "verdict", "bytes", "hash", "score", "code", "reason"):
        number = name in {"round", "bytes", "score"}
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for entry in entries:
        table.add_row(
            str(entry.round),
            # names and reasons may come from a client: plain text, no markup
            Text(one_line(entry.client, 60)),
            entry.verdict,
            human_bytes(entry.bytes),
            entry.sha256[:HASH_DIGITS],
            human_number(entry.score),
            Text(one_line(entry.code, 40)),
            Text(one_line(entry.reason, 200)),
        )
    return table


def scores_table(entries: Iterable[Entry]) -> Table:
    """Return a table with one line per scored set: who helped, and who was quarantined."""
    table = Table(title="Scores", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("round", "client", *SCORES, "verdict", "reason"):
        number = name in {"round", *SCORES}
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for entry in scored(entries):
        table.add_row(
            str(entry.round),
            Text(one_line(entry.client, 60)),
            *score_cells(entry),
            entry.verdict,
            Text(one_line(entry.reason, 200)),
        )
    return table


def scored(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries that have a score."""
    return [entry for entry in entries if entry.score is not None]


def score_cells(entry: Entry) -> tuple[str, str, str, str]:
    """Return the scores of a set as text, in the order of `SCORES`."""
    return (
        human_number(entry.score, 4),
        _share(entry.agreement),
        human_number(entry.outlier, 1),
        _share(entry.copied),
    )


def _share(value: float | None) -> str:
    return human_share(float("nan") if value is None else value)
