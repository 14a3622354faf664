"""How a run went: accuracy, loss and traffic over the rounds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from fdd_flower.report.chart import tidy
from fdd_flower.report.units import byte_unit, human_bytes, human_number, human_share
from fdd_flower.run_folder.rows import RoundRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUE, _ORANGE, _GREEN = "#2563a8", "#c2571a", "#2c8a57"


def curves(rows: Sequence[RoundRow], dpi: int) -> Figure:
    """Return a figure of three panels over the rounds in `rows`, at least one."""
    from matplotlib.figure import Figure

    rounds = [row.round for row in rows]
    up = list(accumulate(row.bytes_up for row in rows))
    down = list(accumulate(row.bytes_down for row in rows))
    size, unit = byte_unit(max(up[-1], down[-1]))

    figure = Figure(figsize=(11, 3.4), dpi=dpi, facecolor="white", layout="constrained")
    accuracy, loss, traffic = figure.subplots(1, 3)
    for axes in (accuracy, loss, traffic):
        _frame(axes, rounds)

    _line(accuracy, rounds, [row.accuracy for row in rows], _BLUE)
    accuracy.set_title(f"Accuracy: {human_share(rows[-1].accuracy)} at the end", fontsize=10)
    accuracy.set_ylabel("accuracy on the test split (share)")
    accuracy.set_ylim(0, 1.02)

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
