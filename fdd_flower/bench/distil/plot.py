"""Accuracy against bytes: one panel per model, one curve per distiller and baseline."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_flower.bench.distil.settings import BASELINES
from fdd_flower.bench.rows import DISTILLED, FULL, SUMMED_GRAM, Row, baseline_key
from fdd_flower.report.chart import COLOURS, cost_axis, legend_below, panels, save, tidy
from fdd_flower.report.units import human_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKS = {"random": (":", "x"), "herding": ("-.", "^"), "kmeans": ("--", "s")}  # also of one point

Curve = list[tuple[float, float, float]]  # bytes, accuracy, spread


def draw(rows: Sequence[Row], title: str, path: Path) -> None:
    """Draw `rows` into the PNG `path`; nothing if none is measured."""
    good = [row for row in rows if row.accuracy is not None]
    models = list(dict.fromkeys(row.model for row in good if row.kind == DISTILLED))
    if not models:
        return
    figure, each = panels(len(models))
    for axes, model in zip(each, models, strict=True):
        _panel(axes, model, good)
    legend_below(figure, each)
    figure.suptitle(title, fontsize=10, fontweight="bold")
    save(figure, path)


def _panel(axes: Axes, model: str, rows: Sequence[Row]) -> None:
    own = [row for row in rows if row.model == model and row.kind == DISTILLED]
    names = list(dict.fromkeys(row.distiller for row in own))
    for i, name in enumerate(n for n in names if n not in BASELINES):
        curve = _curve([row for row in own if row.distiller == name])
        _line(axes, curve, name, color=COLOURS[i % len(COLOURS)], marker="o", linewidth=1.8)
    for name in BASELINES:
        dashes, marker = MARKS[name]
        _line(
            axes,
            _beside(own, name, rows),
            f"{name}, equal bytes",
            color="0.45",
            marker=marker,
            linestyle=dashes,
            linewidth=1.2,
        )
    for kind, colour, label in (
        (FULL, "black", "all records"),
        (SUMMED_GRAM, "#c9a227", "summed-gram ridge"),
    ):
        found = [row for row in rows if row.kind == kind and (kind != FULL or row.model == model)]
        if found:
            mean = statistics.mean(100 * (row.accuracy or 0) for row in found)
            axes.axhline(mean, color=colour, linewidth=1, label=label)
    axes.set_title(model, fontsize=10)
    cost_axis(axes, "encoded set (bytes)", human_bytes)
    axes.set_ylabel("accuracy (%)", fontsize=9)
    tidy(axes)


def _curve(rows: Sequence[Row]) -> Curve:
    """Return a point a count of rows, over its seeds, by bytes."""
    return _points([(row.ipc, row.bytes or 0, row.accuracy or 0.0) for row in rows])


def _beside(own: Sequence[Row], name: str, rows: Sequence[Row]) -> Curve:
    """Return the baseline `name` of the sets in `own`, by its own bytes."""
    keys = {baseline_key(name, row.bytes or 0, row.quality, row.seed, row.model) for row in own}
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
