"""The ROC curves of an audit, on log axes: what counts is their left end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fdd_flower.audit.metrics import Roc
from fdd_flower.report.chart import COLOURS, MARKS, legend_below, paper, save, tidy

LOWEST = 1e-3  # rate at which the axes begin


def draw_roc(curves: Mapping[str, Roc], path: Path) -> None:
    """Draw true against false positive rates on log axes, a curve a target."""
    figure = paper((7.0, 6.0))
    axes = figure.subplots()
    axes.plot([LOWEST, 1], [LOWEST, 1], color="0.6", linestyle="--", label="chance")
    for place, (name, roc) in enumerate(curves.items()):
        fpr, tpr = np.clip(roc.fpr, LOWEST, 1), np.clip(roc.tpr, LOWEST, 1)
        axes.plot(
            fpr,
            tpr,
            color=COLOURS[place % len(COLOURS)],
            linestyle="-" if place < len(COLOURS) else ":",
            marker=MARKS[place % len(MARKS)],
            markevery=max(1, len(fpr) // 8),
            markersize=4,
            linewidth=1.2,
            label=name,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(LOWEST, 1)
    axes.set_ylim(LOWEST, 1)
    axes.set_xlabel("false positive rate")
    axes.set_ylabel("true positive rate")
    tidy(axes)
    legend_below(figure, [axes])
    save(figure, path)
