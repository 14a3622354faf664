"""The rows of the federated bench as tables: one table per split, one line per method."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

from fdd_flower.bench.federated.rows import Row
from fdd_flower.bench.federated.settings import Federated
from fdd_flower.bench.tables import Table, markdown_page, plain_page
from fdd_flower.report.headline import NAMES, SHARES, human_metric, shown_first
from fdd_flower.report.units import human_bytes, human_seconds

NONE = "-"
METHOD = "method"
COSTS = ("best round", "up a client", "down", "rounds", "clients", "server")


def header(bench: Federated) -> list[str]:
    """Return lines that say what was measured and how to read it."""
    where = "held-out training records: for choosing settings" if bench.holdout else "test split"
    return [
        f"{bench.data}, {bench.clients} clients: accuracy (percent) on the {where}",
        f"mean and standard deviation over seeds {', '.join(map(str, bench.seeds))}",
        "accuracy, and what evaluation.metric has before it: after the last round; best round: the "
        "best of all, chosen on the records that it is measured on",
        "up, down: encoded messages of one client, all rounds together",
        f"clients: the slowest one's time; server: training; {bench.threads} threads each, all "
        "rounds together",
    ]


def line(row: Row) -> str:
    """Return one run in a line."""
    name = f"{row.method}, {row.split}, seed {row.seed}"
    if row.error:
        return f"{name} failed: {row.error}"
    first = f"{row.accuracy:.1%}"
    if row.metric != "accuracy":
        first = f"{NAMES[row.metric]} {_value(row)}, {first}"
    more = "".join(f", {model} {_value(row, model)}" for model in row.by_model)
    return (
        f"{name}: {row.model} {first}{more}, {human_bytes(row.bytes_up or 0)} up a "
        f"client, {human_seconds(row.seconds or 0)}"
    )


def plain(head: Sequence[str], rows: Sequence[Row]) -> str:
    """Return the header and one table per split, aligned, for a terminal."""
    return plain_page(head, tables(rows), _failures(rows), left=(METHOD,))


def markdown(head: Sequence[str], rows: Sequence[Row]) -> str:
    """Return the same as Markdown."""
    return markdown_page(head, tables(rows), _failures(rows), left=(METHOD,))


def tables(rows: Sequence[Row]) -> list[tuple[str, Table]]:
    """Return a table for each split, by its name: a line a method, over its seeds."""
    splits = dict.fromkeys(row.split for row in rows)
    return [(split, _table([row for row in rows if row.split == split])) for split in splits]


def _table(rows: Sequence[Row]) -> Table:
    models = list(dict.fromkeys(model for row in rows for model in row.by_model))
    first = common_metric(rows)
    metrics = [NAMES[metric] for metric in shown_first(first)]
    heads = (METHOD, metrics[0], *models, *metrics[1:], *COSTS)
    table: list[Sequence[str]] = [heads]
    for method in dict.fromkeys(row.method for row in rows):
        own = [row for row in rows if row.method == method]
        line = _line(method, own, models, first)
        table.append(line or (method, "failed", *[NONE] * (len(heads) - 2)))
    return table


def common_metric(rows: Iterable[Row]) -> str:
    """Return what all runs that completed show first; accuracy where they differ."""
    found = {row.metric for row in rows if not row.error}
    return found.pop() if len(found) == 1 else "accuracy"


def _line(
    method: str, rows: Sequence[Row], models: Sequence[str], metric: str
) -> Sequence[str] | None:
    good = [row for row in rows if not row.error]
    if not good:
        return None
    lost = f" ({len(rows) - len(good)} failed)" if len(good) < len(rows) else ""
    own = "/".join(dict.fromkeys(row.model for row in good))
    accuracy = [_spread("accuracy", (row.accuracy for row in good))]
    return (
        method,
        f"{_spread(metric, (row.measured(metric) for row in good))} {own}{lost}",
        *(_spread(metric, (row.measured(metric, model) for row in good)) for model in models),
        *accuracy * (metric != "accuracy"),
        _spread(metric, (row.best for row in good if row.metric == metric)),
        human_bytes(_mean(row.bytes_up for row in good)),
        human_bytes(_mean(row.bytes_down for row in good)),
        f"{_mean(row.rounds for row in good):.0f}",
        human_seconds(_mean(row.seconds_clients for row in good)),
        human_seconds(_mean(row.seconds_server for row in good)),
    )


def _spread(metric: str, values: Iterable[float | None]) -> str:
    """Return the mean and the standard deviation, of shares in points of a hundred."""
    unit, digits = (100, 1) if metric in SHARES else (1, 3)
    known = [unit * value for value in values if value is not None]
    if not known:
        return NONE
    spread = f" ±{statistics.stdev(known):.{digits}f}" if len(known) > 1 else ""
    return f"{statistics.mean(known):.{digits}f}{spread}"


def _value(row: Row, model: str = "") -> str:
    found = row.measured(row.metric, model)
    return human_metric(row.metric, math.nan if found is None else found)


def _mean(values: Iterable[float | None]) -> float:
    return statistics.mean(value for value in values if value is not None)


def _failures(rows: Sequence[Row]) -> list[str]:
    return [line(row) for row in rows if row.error]
