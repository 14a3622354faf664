"""Each column's marginal: test records as grey bars, synthetic rows over them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fdd_flower.report.chart import COLOURS, legend_below, paper, save, tidy
from fdd_flower.report.units import one_line
from fdd_flower.training.metrics.likeness import Likeness, Marginal
from fdd_flower.wording import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 4  # panels
WIDE, TALL = 2.75, 2.0  # inches of a panel
MOST_WORDS = 9  # of a column that have a bar of their own
REAL, SYNTHETIC = "0.72", COLOURS[1]
REAL_LABEL, SYNTHETIC_LABEL = "test records", "synthetic rows, by their weights"
_BAR = 0.8


def draw_marginals(found: Likeness, path: Path) -> None:
    """Draw the marginals into the PNG `path`; see `marginals_figure`."""
    save(marginals_figure(found), path)


def marginals_figure(found: Likeness) -> Figure:
    """Return a figure with a panel for each column: a histogram of numbers, a bar for each word.

    Numbers are in their units, what lies beyond the axis is in the first and last bar, and missing
    cells have a bar of their own. Of many words the commonest are shown, the rest as one bar.
    """
    count = len(found.marginals)
    lines = -(-count // ACROSS)
    figure = paper((WIDE * min(ACROSS, max(2, count)), TALL * lines + 0.7))
    panels = figure.subplots(lines, min(ACROSS, max(2, count)), squeeze=False).flatten()
    for unused in panels[count:]:
        unused.set_visible(False)
    for place, (axes, marginal) in enumerate(zip(panels, found.marginals, strict=False)):
        if marginal.words:
            _words(axes, marginal)
        else:
            _numbers(axes, marginal)
        axes.tick_params(labelsize=7, length=2)
        # names are data: a dollar sign in one is no formula
        axes.set_title(
            f"{one_line(marginal.name, 24)}{' (class)' * (not place)}  {marginal.distance:.2f}",
            loc="left",
            fontsize=8,
            fontweight="bold",
            parse_math=False,
        )
    title = f"{found.records} test records beside the synthetic rows; how far apart, from 0 to 1"
    if count < found.columns:
        title += f": the {count} of {many(found.columns, 'column')} that differ most"
    figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    legend_below(figure, list(panels[:1]))
    return figure


def _numbers(axes: Axes, marginal: Marginal) -> None:
    tidy(axes)
    edges = np.array(marginal.edges)
    gap = marginal.real[-1] + marginal.synthetic[-1] > 0
    wide = edges[-1] - edges[0]
    axes.stairs(marginal.real[:-1], edges, fill=True, color=REAL, label=REAL_LABEL)
    axes.stairs(
        marginal.synthetic[:-1], edges, color=SYNTHETIC, linewidth=1.4, label=SYNTHETIC_LABEL
    )
    ticks = _ticks(axes, edges, marginal)
    if gap:
        at = edges[-1] + 0.08 * wide
        ends = (at, at + 0.1 * wide)
        axes.stairs(marginal.real[-1:], ends, fill=True, color=REAL)
        axes.stairs(marginal.synthetic[-1:], ends, color=SYNTHETIC, linewidth=1.4)
        ticks = [*ticks, (at + 0.05 * wide, "miss-\ning")]
    axes.set_xticks([place for place, _ in ticks], [text for _, text in ticks])
    axes.set_ylim(0, 1.08 * max(*marginal.real, *marginal.synthetic, 1e-9))
    axes.yaxis.set_major_locator(_few(4))
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    if marginal.unit:
        axes.set_xlabel(one_line(marginal.unit, 30), fontsize=7, parse_math=False)


def _ticks(axes: Axes, edges: np.ndarray, marginal: Marginal) -> list[tuple[float, str]]:
    """Return a few places along the numbers, and what stands there."""
    low, high = edges[0], edges[-1]
    places = [at for at in _few(4).tick_values(low, high) if low <= at <= high]
    if marginal.kind == "date":
        return [(at, _day(at)) for at in (low + 0.15 * (high - low), high - 0.15 * (high - low))]
    if marginal.kind == "integer":
        places = sorted({float(round(at)) for at in places})
    return [(at, _number(at)) for at in places]


def _few(count: int):
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=count)


def _day(days: float) -> str:
    try:
        return str(date(1970, 1, 1) + timedelta(days=round(days)))
    except OverflowError:
        return f"{days:.3g} days"


def _number(value: float) -> str:
    """Return a number in few letters.

    >>> _number(120.0), _number(0.25), _number(2_500_000.0)
    ('120', '0.25', '2.5M')
    """
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            scaled = value / (1000 if letter == "k" else size)
            return f"{scaled:.4g}{letter}"
    return f"{value:.4g}"


def _words(axes: Axes, marginal: Marginal) -> None:
    tidy(axes)
    names, real, synthetic = _commonest(marginal)
    places = np.arange(len(names))
    axes.barh(places, real, _BAR, color=REAL, label=REAL_LABEL)
    axes.barh(
        places,
        synthetic,
        _BAR,
        fill=False,
        edgecolor=SYNTHETIC,
        linewidth=1.4,
        label=SYNTHETIC_LABEL,
    )
    axes.set_yticks(places, [one_line(name, 14) for name in names])
    for text in axes.get_yticklabels():
        text.set_parse_math(False)
    axes.invert_yaxis()
    axes.set_xlim(0, min(1.08, 1.08 * max(*real, *synthetic, 1e-9)))
    axes.xaxis.set_major_locator(_few(4))
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")


def _commonest(marginal: Marginal) -> tuple[list[str], Sequence[float], Sequence[float]]:
    """Return the bars of words: those in order that are there, the rest as one, the gaps."""
    real, synthetic = np.array(marginal.real), np.array(marginal.synthetic)
    both = real + synthetic
    own = [at for at in range(len(marginal.words)) if both[at] > 0 or marginal.kind != "category"]
    if len(own) > MOST_WORDS:
        own = sorted(sorted(own, key=lambda at: -both[at])[:MOST_WORDS])
    rest = sorted({*range(len(marginal.words))} - {*own})
    bars = [(marginal.words[at], real[at], synthetic[at]) for at in own]
    if both[rest].sum() > 0:
        bars.append((f"{len(rest)} others", real[rest].sum(), synthetic[rest].sum()))
    if both[-1] > 0:
        bars.append(("missing", real[-1], synthetic[-1]))
    names, left, right = zip(*bars, strict=True)
    return list(names), left, right
