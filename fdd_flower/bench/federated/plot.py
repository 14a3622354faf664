"""The picture that matters: accuracy against what was paid for it, every method a curve."""

from __future__ import annotations

import io
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_flower.bench.federated.rows import Row
from fdd_flower.report.files import write_atomic
from fdd_flower.report.units import human_bytes, human_seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DPI = 120
COLUMNS = 3
COLOURS = (
    "#2563a8", "#c2571a", "#2c8a57", "#8a3fa0", "#b3261e", "#0f8a8a", "#7a5c00", "#444444",
    "#d1619f", "#5f8f00",
)  # fmt: skip
MARKS = "os^Dvx*P"  # one a method, so that colours are not all that tells them apart
BYTES, SECONDS = 1, 2  # places in a point of `Row.curve`
LABELS = {
    BYTES: "bytes up, a client, all rounds so far",
    SECONDS: "time: slowest client and server, all rounds so far",
}


def draw(rows: Sequence[Row], title: str, path: Path, *, against: int) -> None:
    """Draw a panel a split into the PNG `path`; nothing if no run completed.

    Parameters
    ----------
    against
        `BYTES` or `SECONDS`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    good = [row for row in rows if row.curve]
    splits = list(dict.fromkeys(row.split for row in good))
    if not splits:
        return
    methods = list(dict.fromkeys(row.method for row in good))
    columns = min(COLUMNS, len(splits))
    lines = -(-len(splits) // columns)
    figure = Figure(
        figsize=(max(4.2 * columns, 6.5), 3.6 * lines + 1), dpi=DPI, facecolor="white",
        layout="constrained",
    )  # fmt: skip
    panels = figure.subplots(lines, columns, squeeze=False, sharey=True).flatten()
    for axes in panels[len(splits) :]:
        axes.set_visible(False)
    handles = {}
    for axes, split in zip(panels, splits, strict=False):
        _panel(axes, split, [row for row in good if row.split == split], methods, against)
        found, labels = axes.get_legend_handles_labels()
        handles |= dict(zip(labels, found, strict=True))
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=4, fontsize=8,
        frameon=False,
    )  # fmt: skip
    figure.suptitle(title, fontsize=10, fontweight="bold")
    memory = io.BytesIO()
    FigureCanvasAgg(figure).print_png(memory, metadata={"Software": None})
    write_atomic(path, memory.getvalue())


def _panel(
    axes: Axes, split: str, rows: Sequence[Row], methods: Sequence[str], against: int
) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for place, method in enumerate(methods):
        curve = _curve([row for row in rows if row.method == method], against)
        if curve:
            x, y, spread = zip(*curve, strict=True)
            axes.errorbar(
                x, y, yerr=spread, label=method, color=COLOURS[place % len(COLOURS)],
                marker=MARKS[place % len(MARKS)], capsize=2, markersize=4, linewidth=1.6,
                elinewidth=0.8,
            )  # fmt: skip
    human = human_bytes if against == BYTES else human_seconds
    axes.set_title(split, fontsize=10)
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    if high < 30 * low:  # a scale of its own width would have no mark with a number
        axes.set_xlim(low / 3, high * 3)
    axes.xaxis.set_major_locator(LogLocator(numticks=5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: human(x)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(LABELS[against], fontsize=8)
    axes.set_ylabel("accuracy (%)", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _curve(rows: Sequence[Row], against: int) -> list[tuple[float, float, float]]:
    """Return what was paid, accuracy and its spread after each round, over the seeds."""
    found = []
    for points in zip(*(row.curve for row in rows), strict=False):
        shares = [100 * point[0] for point in points]
        spread = statistics.stdev(shares) if len(shares) > 1 else 0.0
        paid = statistics.mean(point[against] for point in points)
        found.append((paid, statistics.mean(shares), spread))
    return found
