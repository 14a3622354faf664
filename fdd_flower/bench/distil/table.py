"""The rows of a bench as tables: each set beside its baselines, means and spreads over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from fdd_flower.bench.distil.settings import BASELINES, Bench
from fdd_flower.bench.rows import DISTILLED, FULL, Row
from fdd_flower.bench.tables import Table, markdown_page, plain_page
from fdd_flower.report.headline import LOWER, NAMES, shown_first
from fdd_flower.report.units import human_bytes, human_seconds
from fdd_flower.wording import many

COSTS = ("set", "ipc", "bytes", "client", "server", "whole", "peak MB")
MERITS = ("IOR", "HLR", "verdict")
LEFT = ("set", "verdict")
NONE = "-"


def header(bench: Bench, *, tested: int, trained: int) -> list[str]:
    """Return lines that say what was measured, on what, and how to read it."""
    cfg = bench.cfg
    where = (
        f"held-out tenth of the training records, {many(tested, 'record')}: for choosing settings"
        if bench.holdout
        else f"test split, {many(tested, 'record')}"
    )
    how = "one client per class" if bench.single_class else "one client"
    full = f"{many(bench.full_steps, 'step')}, no teacher" if bench.full_steps else "left out"
    return [
        f"{cfg.data.name}: accuracy (percent) on the {where}",
        f"distilled from {trained} training records as {how}; codec {cfg.codec.name}; "
        f"{cfg.training.steps or '1000 or 1500'} training steps on every set; all records: {full}",
        "mean and standard deviation over seeds; random, herding, kmeans: the same recipe, at "
        "equal bytes",
        "IOR: points above random (more is better); HLR: points below all records with hard "
        "labels (less is better)",
        f"bytes: encoded arrays, labels included; {bench.cfg.runtime.client_threads} threads",
        "client: distilling; server: training and measuring the model; whole: both, one after the "
        "other",
    ]


def plain(head: Sequence[str], rows: Sequence[Row]) -> str:
    """Return the header and one table per model, aligned, for a terminal."""
    return plain_page(head, tables(rows), _failures(rows), left=LEFT)


def markdown(head: Sequence[str], rows: Sequence[Row]) -> str:
    """Return the same as Markdown."""
    return markdown_page(head, tables(rows), _failures(rows), left=LEFT)


def tables(rows: Sequence[Row]) -> list[tuple[str, Table]]:
    """Return a table for each evaluation model, by its name.

    A line is a set, over all seeds; then what to compare with: ridge regression from sums over
    all records, and the model trained on all of them.
    """
    models = list(dict.fromkeys(row.model for row in rows if row.kind == DISTILLED))
    return [(model, _table(model, rows)) for model in models]


def _table(model: str, rows: Sequence[Row]) -> Table:
    of_model = [row for row in rows if row.model == model and row.kind == DISTILLED]
    names = dict.fromkeys((row.distiller, row.ipc) for row in of_model)
    metrics = {row.metric for row in of_model if not row.error}
    metric = metrics.pop() if len(metrics) == 1 else "accuracy"
    first, *rest = shown_first(metric)
    heads = (*COSTS, NAMES[first], *BASELINES, *(NAMES[one] for one in rest), *MERITS)
    table: list[Sequence[str]] = [heads]
    for name in sorted(names, key=lambda name: name[1]):
        table.append(_line([r for r in of_model if (r.distiller, r.ipc) == name], metric))
    for kind, label in (("summed-gram", "summed-gram ridge"), (FULL, "all records")):
        found = [r for r in rows if r.kind == kind and (kind != FULL or r.model == model)]
        if found:
            table.append(_reference(label, found, metric))
    return table


def _line(rows: list[Row], metric: str) -> Sequence[str]:
    """Return the line of one set, from its rows over the seeds."""
    good = [row for row in rows if row.accuracy is not None]
    first, other = rows[0], metric != "accuracy"
    if not good:
        left = len(COSTS) + 1 + len(BASELINES) + other + len(MERITS) - 3
        return (first.distiller, str(first.ipc), *[NONE] * left, "failed")
    beside = {name: _known(row.beside.get(name) for row in good) for name in BASELINES}
    values = _known(row.value for row in good)
    accuracy = _known(row.accuracy for row in good)
    return (
        first.distiller,
        str(first.ipc),
        human_bytes(_mean(row.bytes for row in good)),
        *_times(good),
        f"{_mean(row.peak_mb for row in good):.0f}",
        _points(values),
        *(_points(beside[name]) for name in BASELINES),
        *[_points(accuracy)] * other,
        _points(_known(row.ior for row in good), sign=True),
        _points(_known(row.hlr for row in good), sign=True),
        _verdict(first.distiller, values, beside, metric) + _lost(rows, good),
    )


def _verdict(name: str, values: list[float], beside: dict[str, list[float]], metric: str) -> str:
    """Say which baselines of equal bytes are better, or as good, by their means."""
    means = {o: statistics.mean(found) for o, found in beside.items() if found and o != name}
    if not means or not values:
        return "no baseline"
    own, sign = _mean(values), -1 if metric in LOWER else 1
    better = [other for other, mean in means.items() if sign * (mean - own) > 0]
    level = [other for other, mean in means.items() if mean == own]
    if better:
        return f"loses to {', '.join(better)}"
    return f"level with {', '.join(level)}" if level else "beats all"


def _lost(rows: list[Row], good: list[Row]) -> str:
    failed = len(rows) - len(good)
    return f"; {failed} of {len(rows)} failed" if failed else ""


def _reference(label: str, rows: list[Row], metric: str) -> Sequence[str]:
    found, other = _known(row.value for row in rows), metric != "accuracy"
    accuracy = _points(_known(row.accuracy for row in rows))
    size = human_bytes(_mean(row.bytes for row in rows))
    shown = (_points(found), *[NONE] * len(BASELINES), *[accuracy] * other)
    return (label, NONE, size, *_times(rows), NONE, *shown, NONE, NONE, "")


def _times(rows: Sequence[Row]) -> Sequence[str]:
    """Return the seconds of the client, the server and both, over the seeds."""
    pairs = [(row.seconds or 0.0, row.seconds_train or 0.0) for row in rows]
    client, server = (statistics.mean(one) for one in zip(*pairs, strict=True))
    known = (client, server, client + server)
    return [human_seconds(one) if one else NONE for one in known]


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: Iterable[float | None]) -> float:
    known = _known(values)
    return statistics.mean(known) if known else float("nan")


def _points(shares: list[float], *, sign: bool = False) -> str:
    """Return the mean and the standard deviation of shares in points of a hundred."""
    if not shares:
        return NONE
    mean = f"{100 * statistics.mean(shares):{'+' if sign else ''}.1f}"
    return f"{mean} ±{100 * statistics.stdev(shares):.1f}" if len(shares) > 1 else mean


def _failures(rows: Sequence[Row]) -> list[str]:
    found = (
        f"{row.distiller} ipc {row.ipc} seed {row.seed}, {row.model} failed: {row.error}"
        for row in rows
        if row.error
    )
    return list(dict.fromkeys(found))
