"""Accuracy against bytes: a panel a model, a curve a distiller, the baselines beside."""

from __future__ import annotations

import io
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_flower.bench.rows import DISTILLED, FULL, SUMMED_GRAM, Row, baseline_key
from fdd_flower.bench.settings import BASELINES
from fdd_flower.report.files import write_atomic
from fdd_flower.report.units import human_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DPI = 120
COLUMNS = 3
COLOURS = ("#2563a8", "#c2571a", "#2c8a57", "#8a3fa0", "#b3261e", "#0f8a8a", "#7a5c00", "#444444")
MARKS = {"random": (":", "x"), "herding": ("-.", "^"), "kmeans": ("--", "s")}  # also of one point

Curve = list[tuple[float, float, float]]  # bytes, accuracy, spread


def draw(rows: Sequence[Row], title: str, path: Path) -> None:
    """Draw `rows` into the PNG `path`; nothing if none is measured."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    good = [row for row in rows if row.accuracy is not None]
    models = list(dict.fromkeys(row.model for row in good if row.kind == DISTILLED))
    if not models:
        return
    columns = min(COLUMNS, len(models))
    lines = -(-len(models) // columns)
    figure = Figure(
        figsize=(max(4.2 * columns, 6.5), 3.6 * lines + 1), dpi=DPI, facecolor="white",
        layout="constrained",
    )  # fmt: skip
    panels = figure.subplots(lines, columns, squeeze=False).flatten()
    for axes in panels[len(models) :]:
        axes.set_visible(False)
    for axes, model in zip(panels, models, strict=False):
        _panel(axes, model, good)
    handles = {}
    for axes in panels[: len(models)]:
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


def _panel(axes: Axes, model: str, rows: Sequence[Row]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    own = [row for row in rows if row.model == model and row.kind == DISTILLED]
    names = list(dict.fromkeys(row.distiller for row in own))
    for i, name in enumerate(n for n in names if n not in BASELINES):
        curve = _curve([row for row in own if row.distiller == name])
        _line(axes, curve, name, color=COLOURS[i % len(COLOURS)], marker="o", linewidth=1.8)
    for name in BASELINES:
        dashes, marker = MARKS[name]
        _line(
            axes, _beside(own, name, rows), f"{name}, equal bytes", color="0.45", marker=marker,
            linestyle=dashes, linewidth=1.2,
        )  # fmt: skip
    for kind, colour, label in (
        (FULL, "black", "all records"),
        (SUMMED_GRAM, "#c9a227", "summed-gram ridge"),
    ):
        found = [row for row in rows if row.kind == kind and (kind != FULL or row.model == model)]
        if found:
            mean = statistics.mean(100 * (row.accuracy or 0) for row in found)
            axes.axhline(mean, color=colour, linewidth=1, label=label)
    axes.set_title(model, fontsize=10)
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    if high < 30 * low:  # a scale of its own width would have no mark with a number
        axes.set_xlim(low / 3, high * 3)
    axes.xaxis.set_major_locator(LogLocator(numticks=5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: human_bytes(x)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("encoded set (bytes)", fontsize=9)
    axes.set_ylabel("accuracy (%)", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _curve(rows: Sequence[Row]) -> Curve:
    """Return a point a count of rows, over its seeds, by bytes."""
    return _points([(row.ipc, row.bytes or 0, row.accuracy or 0.0) for row in rows])


def _beside(own: Sequence[Row], name: str, rows: Sequence[Row]) -> Curve:
    """Return the baseline `name` of the sets in `own`, by its own bytes."""
    keys = {
        baseline_key(name, row.bytes or 0, row.quality, row.seed, row.model) for row in own
    }  # fmt: skip
    return _curve([row for row in rows if row.key in keys])


def _points(found: Sequence[tuple[int, float, float]]) -> Curve:
    curve = []
    for ipc in sorted({ipc for ipc, _, _ in found}):
        sizes = [size for count, size, _ in found if count == ipc]
        shares = [100 * share for count, _, share in found if count == ipc]
        spread = statistics.stdev(shares) if len(shares) > 1 else 0.0
        curve.append((statistics.mean(sizes), statistics.mean(shares), spread))
    return sorted(curve)


def _line(axes: Axes, curve: Curve, label: str, **style: object) -> None:
    if not curve:
        return
    x, y, spread = zip(*curve, strict=True)
    axes.errorbar(x, y, yerr=spread, label=label, capsize=2, markersize=4, **style)  # pyright: ignore[reportArgumentType]
