"""How columns go together: a matrix of the test records, one of the synthetic rows, one scale."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fdd_flower.report.chart import DPI, save
from fdd_flower.report.units import one_line
from fdd_flower.training.metrics.likeness import Likeness
from fdd_flower.wording import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LETTERS = 18
_BETWEEN, _RIGHT, _TOP = 0.15, 0.75, 0.7  # inches
MOST_NUMBERS = 12  # columns up to which each cell has its number


def draw_correlations(found: Likeness, path: Path) -> None:
    """Draw the associations into the PNG `path`; see `correlations_figure`."""
    save(correlations_figure(found), path)


def correlations_figure(found: Likeness) -> Figure:
    """Return a figure of two matrices with the same columns and scale, from -1 to 1.

    A cell without an association, as of a column that does not vary, is grey.
    """
    from matplotlib.figure import Figure

    names = [one_line(marginal.name, _LETTERS) for marginal in found.marginals]
    side = max(3.0, min(8.0, 0.26 * len(names) + 0.6))
    size = 8 if len(names) <= 20 else 6
    room = 0.2 + size / 130 * max(map(len, names))  # for names, below and on the left
    wide, tall = 2 * side + room + _BETWEEN + _RIGHT, side + room + _TOP
    figure = Figure(figsize=(wide, tall), dpi=DPI, facecolor="white")

    def axes_at(left: float, bottom: float, width: float, height: float) -> Axes:
        return figure.add_axes((left / wide, bottom / tall, width / wide, height / tall))

    panels = [axes_at(room + at * (side + _BETWEEN), room, side, side) for at in (0, 1)]
    pairs = (("test records", found.real), ("synthetic rows, by their weights", found.synthetic))
    for axes, (title, matrix) in zip(panels, pairs, strict=True):
        axes.set_title(title, fontsize=9)
        _draw(axes, np.array(matrix))
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=size)
        axes.set_yticks(range(len(names)), names if axes is panels[0] else [], fontsize=size)
        # names are data: a dollar sign in one is no formula
        for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
            text.set_parse_math(False)
    bar = axes_at(wide - _RIGHT + 0.15, room + 0.15 * side, 0.14, 0.7 * side)
    figure.colorbar(panels[0].images[0], cax=bar)
    bar.tick_params(labelsize=7)
    title = f"How columns go together; mean difference {mean_difference(found):.3f}"
    if len(names) < found.columns:
        title += f"; {len(names)} of {many(found.columns, 'column')}"
    figure.text(0.1 / wide, 1 - 0.12 / tall, title, va="top", fontsize=10, fontweight="bold")
    return figure


def _draw(axes: Axes, values: np.ndarray) -> None:
    axes.set_facecolor("0.85")
    axes.imshow(np.ma.masked_invalid(values), cmap="RdBu_r", vmin=-1, vmax=1)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if len(values) > MOST_NUMBERS:
        return
    for (row, column), value in np.ndenumerate(values):
        if row != column and np.isfinite(value):
            colour = "white" if abs(value) > 0.6 else "0.2"
            place = {"ha": "center", "va": "center", "fontsize": 6, "color": colour}
            axes.text(column, row, f"{value:.2f}", **place)


def mean_difference(found: Likeness) -> float:
    """Return the mean absolute difference over pairs that both have; nan if there is none."""
    real, synthetic = np.array(found.real), np.array(found.synthetic)
    above = np.triu(np.ones(real.shape, dtype=bool), 1) & np.isfinite(real) & np.isfinite(synthetic)
    return float(np.abs(real - synthetic)[above].mean()) if above.any() else float("nan")
