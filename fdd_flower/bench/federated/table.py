"""The rows of the federated bench as tables: one table per split, one line per method."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from fdd_flower.bench.federated.rows import Row
from fdd_flower.bench.federated.settings import Federated
from fdd_flower.bench.tables import Table, markdown_page, plain_page
from fdd_flower.report.units import human_bytes, human_seconds

NONE = "-"
HEADS = ("method", "accuracy", "best round", "up a client", "down", "rounds", "clients", "server")


def header(bench: Federated) -> list[str]:
    """Return lines that say what was measured and how to read it."""
    where = "held-out training records: for choosing settings" if bench.holdout else "test split"
    return [
        f"{bench.data}, {bench.clients} clients: accuracy (percent) on the {where}",
        f"mean and standard deviation over seeds {', '.join(map(str, bench.seeds))}",
        "accuracy: after the last round; best round: the highest of all, chosen on the records "
        "that it is measured on",
        "up, down: encoded messages of one client, all rounds together",
        f"clients: the slowest one's time; server: training; {bench.threads} threads each, all "
        "rounds together",
    ]


def line(row: Row) -> str:
    """Return one run in a line."""
    name = f"{row.method}, {row.split}, seed {row.seed}"
    if row.error:
        return f"{name} failed: {row.error}"
    more = "".join(f", {model} {share:.1%}" for model, share in row.by_model.items())
    return (
        f"{name}: {row.model} {row.accuracy:.1%}{more}, {human_bytes(row.bytes_up or 0)} up a "
        f"client, {human_seconds(row.seconds or 0)}"
    )


def plain(head: Sequence[str], rows: Sequence[Row]) -> str:
    """Return the header and one table per split, aligned, for a terminal."""
    return plain_page(head, tables(rows), _failures(rows), left=HEADS[:1])


def markdown(head: Sequence[str], rows: Sequence[Row]) -> str:
    """Return the same as Markdown."""
    return markdown_page(head, tables(rows), _failures(rows), left=HEADS[:1])


def tables(rows: Sequence[Row]) -> list[tuple[str, Table]]:
    """Return a table for each split, by its name: a line a method, over its seeds."""
    splits = dict.fromkeys(row.split for row in rows)
    return [(split, _table([row for row in rows if row.split == split])) for split in splits]


def _table(rows: Sequence[Row]) -> Table:
    models = list(dict.fromkeys(model for row in rows for model in row.by_model))
    table: list[Sequence[str]] = [(*HEADS[:2], *models, *HEADS[2:])]
    for method in dict.fromkeys(row.method for row in rows):
        table.append(_line(method, [row for row in rows if row.method == method], models))
    return table


def _line(method: str, rows: Sequence[Row], models: Sequence[str]) -> Sequence[str]:
    good = [row for row in rows if not row.error]
    if not good:
        return (method, "failed", *[NONE] * (len(models) + len(HEADS) - 2))
    lost = f" ({len(rows) - len(good)} failed)" if len(good) < len(rows) else ""
    own = "/".join(dict.fromkeys(row.model for row in good))
    return (
        method,
        f"{_points(row.accuracy for row in good)} {own}{lost}",
        *(_points(row.by_model.get(model) for row in good) for model in models),
        _points(row.best for row in good),
        human_bytes(_mean(row.bytes_up for row in good)),
        human_bytes(_mean(row.bytes_down for row in good)),
        f"{_mean(row.rounds for row in good):.0f}",
        human_seconds(_mean(row.seconds_clients for row in good)),
        human_seconds(_mean(row.seconds_server for row in good)),
    )


def _points(shares: Iterable[float | None]) -> str:
    """Return the mean and the standard deviation of shares in points of a hundred."""
    known = [100 * share for share in shares if share is not None]
    if not known:
        return NONE
    spread = f" ±{statistics.stdev(known):.1f}" if len(known) > 1 else ""
    return f"{statistics.mean(known):.1f}{spread}"


def _mean(values: Iterable[float | None]) -> float:
    return statistics.mean(value for value in values if value is not None)


def _failures(rows: Sequence[Row]) -> list[str]:
    return [line(row) for row in rows if row.error]
