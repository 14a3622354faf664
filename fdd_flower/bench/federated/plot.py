"""What runs show first against bytes and against time, one curve per method."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_flower.bench.federated.rows import Row, cuts
from fdd_flower.bench.federated.spread import interval
from fdd_flower.bench.federated.table import common_metric
from fdd_flower.report.chart import (
    COLOURS,
    MARKS,
    MOST_MARKS,
    cost_axis,
    legend_below,
    panels,
    save,
    tidy,
)
from fdd_flower.report.headline import LOWER, NAMES, SHARES
from fdd_flower.report.units import human_bytes, human_seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BYTES, SECONDS = 1, 2  # places in a point of `Row.curve`
OTHERS = "best of server.models"
LABELS = {
    BYTES: "bytes sent per client, all rounds so far",
    SECONDS: "time: slowest client and server, all rounds so far",
}


def draw(rows: Sequence[Row], title: str, path: Path, *, against: int) -> None:
    """Draw one panel per split into the PNG `path`; nothing if no run completed.

    Bars are 95 % confidence intervals over seeds. A hollow mark is the best of `server.models`,
    trained on the last merged set.

    Parameters
    ----------
    against
        `BYTES` or `SECONDS`.
    """
    metric = common_metric(rows)
    good = [row for row in rows if row.curve and row.metric == metric]
    names = cuts(good)
    if not names:
        return
    methods = list(dict.fromkeys(row.method for row in good))
    figure, each = panels(len(names), sharey=True)
    for axes, (cut, name) in zip(each, names.items(), strict=True):
        _panel(axes, name, [row for row in good if row.cut == cut], methods, against, metric)
    if any(row.by_model for row in good):
        each[0].plot([], [], "o", color="0.4", markerfacecolor="none", label=OTHERS)
    legend_below(figure, each)
    figure.suptitle(title, fontsize=10, fontweight="bold")
    save(figure, path)


def _panel(
    axes: Axes,
    split: str,
    rows: Sequence[Row],
    methods: Sequence[str],
    against: int,
    metric: str,
) -> None:
    unit = 100 if metric in SHARES else 1
    best_of = min if metric in LOWER else max
    for place, method in enumerate(methods):
        own = [row for row in rows if row.method == method]
        curve = _curve(own, against, unit)
        if not curve:
            continue
        color, marker = COLOURS[place % len(COLOURS)], MARKS[place % len(MARKS)]
        x, y, spread = zip(*curve, strict=True)
        axes.errorbar(
            x,
            y,
            yerr=spread,
            label=method,
            color=color,
            marker=marker,
            capsize=2,
            markersize=4,
            markevery=-(-len(x) // MOST_MARKS),
            linewidth=1.6,
            elinewidth=0.8,
        )
        each = ([row.measured(metric, model) for model in row.by_model] for row in own)
        others = [best_of(known) for one in each if (known := [v for v in one if v is not None])]
        if others:
            best = unit * statistics.mean(others)
            axes.plot(
                x[-1:], [best], color=color, marker=marker, markersize=6, markerfacecolor="none"
            )
    axes.set_title(split, fontsize=10)
    cost_axis(axes, LABELS[against], human_bytes if against == BYTES else human_seconds)
    axes.set_ylabel(NAMES[metric] + " (%)" * (metric in SHARES), fontsize=9)
    tidy(axes)


def _curve(rows: Sequence[Row], against: int, unit: int) -> list[tuple[float, float, float]]:
    """Return what was paid, the metric and half its interval after each round, over the seeds."""
    found = []
    for points in zip(*(row.curve for row in rows), strict=False):
        shares = [unit * point[0] for point in points]
        mean, half = interval(shares)
        paid = statistics.mean(point[against] for point in points)
        found.append((paid, mean, half or 0.0))
    return found
