"""How columns go together: a matrix of the test records, one of the synthetic rows, one scale."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fdd_flower.report.chart import paper, save
from fdd_flower.report.units import one_line
from fdd_flower.training.metrics.likeness import Likeness

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_NUMBERS = 12  # columns up to which each cell has its number


def draw_correlations(found: Likeness, path: Path) -> None:
    """Draw the associations into the PNG `path`; see `correlations_figure`."""
    save(correlations_figure(found), path)


def correlations_figure(found: Likeness) -> Figure:
    """Return a figure of two matrices with the same columns and scale, from -1 to 1.

    A cell without an association, as of a column that does not vary, is grey.
    """
    names = [one_line(marginal.name, 18) for marginal in found.marginals]
    side = max(3.4, min(9.0, 0.26 * len(names) + 1.0))
    room = 0.065 * max(map(len, names))  # for names, below and on the left
    figure = paper((2 * side + 1.2 + room, side + 0.7 + room))
    panels = figure.subplots(1, 2, sharey=True)
    pairs = (("test records", found.real), ("synthetic rows, by their weights", found.synthetic))
    image = None
    for axes, (title, matrix) in zip(panels, pairs, strict=True):
        values = np.array(matrix)
        axes.set_facecolor("0.85")
        image = axes.imshow(np.ma.masked_invalid(values), cmap="RdBu_r", vmin=-1, vmax=1)
        axes.set_title(title, fontsize=9)
        size = 8 if len(names) <= 20 else 6
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=size)
        axes.set_yticks(range(len(names)), names, fontsize=size)
        # names are data: a dollar sign in one is no formula
        for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
            text.set_parse_math(False)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        if len(names) <= MOST_NUMBERS:
            for (row, column), value in np.ndenumerate(values):
                if row != column and np.isfinite(value):
                    dark = abs(value) > 0.6
                    axes.text(
                        column,
                        row,
                        f"{value:.2f}",
                        ha="center",
                        va="center",
                        fontsize=6,
                        color="white" if dark else "0.2",
                    )
    assert image is not None
    bar = figure.colorbar(image, ax=panels, shrink=0.7, pad=0.01)
    bar.ax.tick_params(labelsize=7)
    title = f"How columns go together; mean difference {mean_difference(found):.3f}"
    if len(names) < found.columns:
        title += f"; {len(names)} of {found.columns} columns"
    figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def mean_difference(found: Likeness) -> float:
    """Return the mean absolute difference over pairs that both have; nan if there is none."""
    real, synthetic = np.array(found.real), np.array(found.synthetic)
    above = np.triu(np.ones(real.shape, dtype=bool), 1) & np.isfinite(real) & np.isfinite(synthetic)
    return float(np.abs(real - synthetic)[above].mean()) if above.any() else float("nan")
