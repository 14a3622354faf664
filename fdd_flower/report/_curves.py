"""How a run went: a metric, loss and traffic over the rounds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from fdd_flower.report.chart import tidy
from fdd_flower.report.headline import NAMES, SHARES, human_metric, value_of
from fdd_flower.report.units import byte_unit, human_bytes, human_number
from fdd_flower.run_folder.rows import RoundRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUE, _ORANGE, _GREEN = "#2563a8", "#c2571a", "#2c8a57"


def curves(rows: Sequence[RoundRow], dpi: int, metric: str) -> Figure:
    """Return a figure of three panels over the rounds in `rows`, at least one."""
    from matplotlib.figure import Figure

    rounds = [row.round for row in rows]
    up = list(accumulate(row.bytes_up for row in rows))
    down = list(accumulate(row.bytes_down for row in rows))
    size, unit = byte_unit(max(up[-1], down[-1]))

    figure = Figure(figsize=(11, 3.4), dpi=dpi, facecolor="white", layout="constrained")
    first, loss, traffic = figure.subplots(1, 3)
    for axes in (first, loss, traffic):
        _frame(axes, rounds)

    name, values = NAMES[metric], [value_of(row, metric) for row in rows]
    _line(first, rounds, values, _BLUE)
    title = f"{name[0].upper()}{name[1:]}: {human_metric(metric, values[-1])} at the end"
    first.set_title(title, fontsize=10)
    first.set_ylabel(f"{name} on the test split" + " (share)" * (metric in SHARES))
    first.set_ylim(0, 1.02)

    _line(loss, rounds, [row.loss for row in rows], _ORANGE)
    loss.set_title(f"Loss: {human_number(rows[-1].loss)} at the end", fontsize=10)
    loss.set_ylabel("cross-entropy (nats)")
    loss.set_ylim(0, 1.05 * loss.get_ylim()[1])

    for name, total, colour in (("up-link", up, _GREEN), ("down-link", down, _BLUE)):
        label = f"{name}: {human_bytes(total[-1])}"
        _line(traffic, rounds, [value / size for value in total], colour, label)
    traffic.set_title("Traffic, all clients, cumulative", fontsize=10)
    traffic.set_ylabel(f"bytes since the start ({unit})")
    # room for the legend above the lines
    traffic.set_ylim(0, 1.25 * max(up[-1], down[-1], 1) / size)
    traffic.legend(loc="upper left", fontsize=8, frameon=False)
    return figure


def _frame(axes: Axes, rounds: Sequence[int]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("round")
    axes.set_xlim(rounds[0] - 0.5, rounds[-1] + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    tidy(axes)


def _line(
    axes: Axes, x: Sequence[int], y: Sequence[float], colour: str, label: str | None = None
) -> None:
    # a single round is a point, and many points would hide their line
    marker = "o" if len(x) <= 30 else ""
    axes.plot(x, y, color=colour, marker=marker, markersize=4, linewidth=1.8, label=label)
