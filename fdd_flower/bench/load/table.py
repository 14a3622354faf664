"""The rows of the load bench as tables, and in words whether goal R6 is met."""

from __future__ import annotations

from collections.abc import Sequence

from fdd_flower.bench.load.rows import CLIENTS, KILOBYTES, MOST_POOLS, MOST_SECONDS, Row
from fdd_flower.bench.load.settings import Load
from fdd_flower.bench.tables import Table, aligned, piped
from fdd_flower.report.units import human_bytes, human_seconds

HEADS = (
    "clients", "a reply", "rows", "seconds", "judged and written", "merged", "peak MB", "pool MB",
    "peak / pool",
)  # fmt: skip
GOAL = (
    f"R6, {CLIENTS:,} clients of {KILOBYTES:g} kB: at most {MOST_SECONDS:g} s, and at most "
    f"{MOST_POOLS:g} times the pool"
)


def header(load: Load) -> list[str]:
    """Return lines that say what was measured and how to read it."""
    cfg = load.cfg
    packing = cfg.distiller.packing or "auto"
    return [
        f"one round of replies of {load.kilobytes:g} kB: codec {cfg.codec.name}, packing "
        f"{packing}, merger {cfg.merger.name}",
        "seconds: from the last reply's arrival until every set is in the ledger, on disk, and "
        "merged; no training",
        "peak: memory above that before the replies came, encoded replies included; pool: the "
        "merged set; MB are 10^6 bytes",
    ]


def line(row: Row) -> str:
    """Say what one number of clients cost, and whether both limits held."""
    if row.error:
        return f"{row.clients:,} clients: failed: {row.error}"
    return (
        f"{row.clients:,} clients of {human_bytes(row.bytes or 0)}: {human_seconds(_known(row))}, "
        f"{_within(row.in_time)} {MOST_SECONDS:g} s; {row.above_mb:.0f} MB at the peak, "
        f"{row.pools:.2f} times the pool of {row.pool_mb:.0f} MB, {_within(row.in_memory)} "
        f"{MOST_POOLS:g}"
    )


def goal(rows: Sequence[Row]) -> str:
    """Say whether goal R6 held, by the rows of as many clients and bytes as it names."""
    found = [row for row in rows if row.is_of_the_goal and not row.error]
    if not found:
        return f"{GOAL}: not measured"
    missed = [
        name
        for name, held in (
            ("time", all(row.in_time for row in found)),
            ("memory", all(row.in_memory for row in found)),
        )
        if not held
    ]
    return f"{GOAL}: " + (f"missed in {' and '.join(missed)}" if missed else "both held")


def plain(head: Sequence[str], rows: Sequence[Row]) -> str:
    """Return header, table and verdict, aligned, for a terminal."""
    return "\n".join((*head, "", aligned(_table(rows)), "", *_failures(rows), goal(rows))) + "\n"


def markdown(head: Sequence[str], rows: Sequence[Row]) -> str:
    """Return the same as Markdown."""
    listed = [f"- {text}" for text in head]
    return "\n".join((*listed, "", piped(_table(rows)), "", *_failures(rows), goal(rows))) + "\n"


def _table(rows: Sequence[Row]) -> Table:
    return [HEADS, *(_cells(row) for row in rows if not row.error)]


def _cells(row: Row) -> Sequence[str]:
    return (
        f"{row.clients:,}",
        human_bytes(row.bytes or 0),
        f"{row.rows:,}",
        f"{row.seconds:.1f}",
        f"{row.seconds_accept:.1f}",
        f"{row.seconds_merge:.1f}",
        f"{row.above_mb:.0f}",
        f"{row.pool_mb:.0f}",
        f"{row.pools:.2f}",
    )


def _known(row: Row) -> float:
    return float("nan") if row.seconds is None else row.seconds


def _within(held: bool) -> str:
    return "within" if held else "ABOVE"


def _failures(rows: Sequence[Row]) -> list[str]:
    return [line(row) for row in rows if row.error]
