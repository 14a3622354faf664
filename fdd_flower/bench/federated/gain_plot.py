"""Gain over what stands beside a method, against the bytes that a client sends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_flower.bench.federated.gain import Gain
from fdd_flower.bench.federated.plot import BYTES, LABELS
from fdd_flower.report.chart import COLOURS, MARKS, cost_axis, legend_below, panels, save, tidy
from fdd_flower.report.headline import NAMES, SHARES
from fdd_flower.report.units import human_bytes
from fdd_flower.wording import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_gains(found: Sequence[Gain], title: str, path: Path) -> None:
    """Draw one panel per split into the PNG `path`; nothing if nothing was compared.

    A line is one model against one kind of other method, in one number of rounds. Bars are 95 %
    confidence intervals; a point without one is of a single seed. Above 0 the method is better.
    """
    names = list(dict.fromkeys(one.cut for one in found))
    if not names:
        return
    series = list(dict.fromkeys(map(_series, found)))
    figure, each = panels(len(names), sharey=True)
    for axes, name in zip(each, names, strict=True):
        _panel(axes, name, [one for one in found if one.cut == name], series)
    ends = [axes.get_xlim() for axes in each]  # one scale, so that panels can be compared
    for axes in each:
        axes.set_xlim(min(low for low, _ in ends), max(high for _, high in ends))
    legend_below(figure, each)
    figure.suptitle(title, fontsize=10, fontweight="bold")
    save(figure, path)


def _series(one: Gain) -> str:
    rounds = f", {many(one.rounds, 'round')}" if one.rounds > 1 else ""
    return f"{one.model} over {one.kind}{rounds}"


def _panel(axes: Axes, name: str, found: Sequence[Gain], series: Sequence[str]) -> None:
    axes.axhline(0, color="0.3", linewidth=1)
    for place, label in enumerate(series):
        own = sorted((g for g in found if _series(g) == label), key=lambda g: g.bytes_up)
        if not own:
            continue
        axes.errorbar(
            [one.bytes_up * (1 + 0.03 * place) for one in own],  # so that bars do not hide bars
            [one.gain for one in own],
            yerr=[one.half or 0.0 for one in own],
            label=label,
            color=COLOURS[place % len(COLOURS)],
            marker=MARKS[place % len(MARKS)],
            capsize=2,
            markersize=4,
            linewidth=1.6,
            elinewidth=0.8,
        )
    axes.set_title(name, fontsize=10)
    cost_axis(axes, LABELS[BYTES], human_bytes)
    metric = found[0].metric
    axes.set_ylabel(f"gain in {NAMES[metric]}" + " (points)" * (metric in SHARES), fontsize=9)
    tidy(axes)
