"""Vectors and series as lines of a heat map, grouped by class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fdd_flower.report.units import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LETTER = 0.068
_TALLEST_LINE, _SHORTEST_LINE = 0.16, 0.06
_SHORTEST_GROUP = 0.24
_SPREAD = 3.0
_NARROWEST, _WIDEST = 6.5, 13.0  # inches of the lines
_NAME = 0.12  # inches that the name of a feature takes
_LETTERS = 24


def heat_map(
    rows: Sequence[Tensor],
    labels: Sequence[str],
    title: str,
    note: str,
    dpi: int,
    names: Sequence[str] = (),
) -> Figure:
    """Return a figure with a band for each of `rows`, (n, d) in normalised units; n may be 0.

    Parameters
    ----------
    names
        Of the d features; of more than there is room for every second, or third. Empty: they are
        counted.
    """
    from matplotlib.figure import Figure

    features = max(row.shape[1] for row in rows)
    lines = sum(len(row) for row in rows)
    line = min(_TALLEST_LINE, max(_SHORTEST_LINE, 8.0 / lines))
    # inches; a class of one line, or none, still has room for its label
    tall = [max(len(row) * line, _SHORTEST_GROUP) for row in rows]
    left, right, top, bottom = 0.35 + _LETTER * max(map(len, labels)), 0.8, 0.62, 0.5
    wide = _NARROWEST
    if names:
        names = [one_line(name, _LETTERS) for name in names]
        wide = min(_WIDEST, max(_NARROWEST, _NAME * features))
        bottom = 0.25 + 0.055 * max(map(len, names))
    full_wide, full_tall = left + wide + right, top + sum(tall) + 0.04 * len(rows) + bottom
    figure = Figure(figsize=(full_wide, full_tall), dpi=dpi, facecolor="white")

    largest = float(torch.cat(list(rows)).abs().max())
    limit = max(1.0, min(_SPREAD, largest))
    y, image, axes = full_tall - top, None, None
    for i, (row, label) in enumerate(zip(rows, labels, strict=True)):
        y -= tall[i]
        axes = figure.add_axes(
            (left / full_wide, y / full_tall, wide / full_wide, tall[i] / full_tall)
        )
        y -= 0.04
        axes.set_xlim(-0.5, features - 0.5)
        axes.set_xticks([])
        if len(row):
            image = axes.imshow(row.numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
            middle = (len(row) - 1) / 2
        else:
            axes.set_ylim(-0.5, 0.5)
            axes.text(
                0.01,
                0.5,
                "no records",
                transform=axes.transAxes,
                va="center",
                fontsize=7.5,
                style="italic",
                color="0.5",
            )
            middle = 0.0
        axes.set_yticks([middle], [label])
        # class names are data: a dollar sign in one is no formula
        axes.get_yticklabels()[0].set_parse_math(False)
        axes.tick_params(axis="y", length=0, labelsize=8)
        axes.spines[:].set_color("0.8")

    assert image is not None
    assert axes is not None
    _name_features(axes, features, names, wide)
    bar_tall = min(2.5, full_tall - top - bottom)
    bar = figure.add_axes(
        (
            (left + wide + 0.15) / full_wide,
            1 - (top + bar_tall) / full_tall,
            0.12 / full_wide,
            bar_tall / full_tall,
        )
    )
    figure.colorbar(image, cax=bar, extend="both" if largest > limit else "neither")
    bar.tick_params(labelsize=7)
    figure.text(
        0.1 / full_wide, 1 - 0.14 / full_tall, title, va="top", fontsize=10, fontweight="bold"
    )
    figure.text(
        0.1 / full_wide,
        1 - 0.34 / full_tall,
        f"{note}; colour: standard deviations from the mean",
        va="top",
        fontsize=7.5,
        color="0.35",
    )
    return figure


def _name_features(axes: Axes, features: int, names: Sequence[str], wide: float) -> None:
    from matplotlib.ticker import MaxNLocator

    if not names:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True))
        axes.tick_params(axis="x", labelsize=8)
        axes.set_xlabel("feature (index)", fontsize=8)
        return
    step = math.ceil(features * _NAME / wide - 1e-9)
    axes.set_xticks(range(0, features, step), names[::step], rotation=90, fontsize=7)
    # names are data: a dollar sign in one is no formula
    for text in axes.get_xticklabels():
        text.set_parse_math(False)
