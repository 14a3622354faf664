"""The rows of the federated bench as tables: one table per split, one line per method."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

from fdd_flower.bench.federated.gain import Gain, gains
from fdd_flower.bench.federated.rows import Row, cuts
from fdd_flower.bench.federated.settings import Federated
from fdd_flower.bench.federated.spread import interval
from fdd_flower.bench.tables import Table, markdown_page, plain_page
from fdd_flower.report.headline import NAMES, SHARES, human_metric, shown_first
from fdd_flower.report.units import human_bytes, human_seconds

Pairs = Sequence[tuple[str, str]]

NONE = "-"
METHOD = "method"
BESIDE = "beside"
COSTS = ("best round", "up a client", "down", "rounds", "clients", "server", "whole")
GAINS = (
    METHOD,
    BESIDE,
    "model",
    "gain",
    "is",
    "seeds",
    "up a client",
    "clients",
    "server",
    "whole",
)
GAIN = "gain over the other method"
BY_SEED = ("gain: by seed; ahead or behind where the interval does not hold 0, else open",)
LEFT = (METHOD, BESIDE, "model", "is")


def header(bench: Federated) -> list[str]:
    """Return lines that say what was measured and how to read it."""
    where = "held-out training records: for choosing settings" if bench.holdout else "test split"
    return [
        f"{', '.join(bench.data)}, {bench.clients} clients: accuracy (percent) on the {where}",
        f"mean over seeds {', '.join(map(str, bench.seeds))}; ± is half of its 95 % confidence "
        "interval (Student's t)",
        "accuracy, and what evaluation.metric has before it: after the last round; best round: the "
        "best of all, chosen on the records that it is measured on",
        "up, down: encoded messages of one client, all rounds together",
        f"clients: the slowest one's time; server: training; {bench.threads} threads each, all "
        "rounds together; whole: the run on this machine, one client after the other",
        *(
            ["gain: by seed; ahead or behind where the interval does not hold 0"]
            * bool(bench.pairs())
        ),
    ]


def line(row: Row) -> str:
    """Return one run in a line."""
    where = f"{row.data}, {row.split}" if row.data else row.split
    name = f"{row.method}, {where}, seed {row.seed}"
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


def plain(head: Sequence[str], rows: Sequence[Row], pairs: Pairs = ()) -> str:
    """Return the header and one table per split, aligned, for a terminal.

    Parameters
    ----------
    pairs
        Methods, and what each is compared with: a table of gains more.
    """
    return plain_page(head, tables(rows, pairs), _failures(rows), left=LEFT)


def markdown(head: Sequence[str], rows: Sequence[Row], pairs: Pairs = ()) -> str:
    """Return the same as Markdown."""
    return markdown_page(head, tables(rows, pairs), _failures(rows), left=LEFT)


def tables(rows: Sequence[Row], pairs: Pairs = ()) -> list[tuple[str, Table]]:
    """Return a table for each split, by its name: a line a method, over its seeds.

    Where `pairs` say what stands beside what, each is followed by one of gains.
    """
    found, gained = [], gains(rows, pairs)
    for cut, name in cuts(rows).items():
        found.append((name, _table([row for row in rows if row.cut == cut])))
        own = [_gain_line(one) for one in gained if one.cut == name]
        if own:
            found.append((f"{name}: {GAIN}", [GAINS, *own]))
    return found


def _gain_line(one: Gain) -> Sequence[str]:
    digits = 1 if one.metric in SHARES else 3
    half = "" if one.half is None else f" ±{one.half:.{digits}f}"
    return (
        one.method,
        one.beside,
        one.model,
        f"{one.gain:+.{digits}f}{half}",
        one.verdict,
        str(one.seeds),
        f"{human_bytes(one.bytes_up)} / {human_bytes(one.bytes_beside)}",
        *(
            f"{human_seconds(own)} / {human_seconds(other)}"
            for own, other in zip(one.seconds, one.seconds_beside, strict=True)
        ),
    )


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
        human_seconds(_mean(row.seconds for row in good)),
    )


def _spread(metric: str, values: Iterable[float | None]) -> str:
    """Return the mean and half of its interval, of shares in points of a hundred."""
    unit, digits = (100, 1) if metric in SHARES else (1, 3)
    known = [unit * value for value in values if value is not None]
    if not known:
        return NONE
    mean, half = interval(known)
    return f"{mean:.{digits}f}" + ("" if half is None else f" ±{half:.{digits}f}")


def _value(row: Row, model: str = "") -> str:
    found = row.measured(row.metric, model)
    return human_metric(row.metric, math.nan if found is None else found)


def _mean(values: Iterable[float | None]) -> float:
    return statistics.mean(value for value in values if value is not None)


def _failures(rows: Sequence[Row]) -> list[str]:
    return [line(row) for row in rows if row.error]
