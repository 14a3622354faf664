"""How a model answers: ROC, precision-recall, reliability and confusion, beside what chance is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fdd_flower.report.chart import COLOURS, paper, tidy
from fdd_flower.report.units import human_share, one_line
from fdd_flower.training.metrics import Answers
from fdd_flower.wording import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CHANCE = "0.55"
_MOST_CELLS = 15  # classes of a confusion matrix whose cells have numbers
_MOST_NAMES = 30  # and that have their names beside it
_LETTERS = 14


def answers_figure(found: Answers, classes: Sequence[str]) -> Figure:
    """Return a figure of four panels."""
    names = [one_line(name, _LETTERS) for name in classes]
    figure = paper((10, 8.6))
    (roc, precision), (calibration, table) = figure.subplots(2, 2)
    for axes in (roc, precision, calibration):
        tidy(axes)
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.03)
        axes.tick_params(labelsize=8)
    _roc(roc, found, names)
    _precision(precision, found, names)
    _calibration(calibration, found, names)
    _confusion(table, found, names)
    return figure


def _roc(axes: Axes, found: Answers, names: Sequence[str]) -> None:
    axes.plot([0, 1], [0, 1], linestyle="--", color=_CHANCE, linewidth=1, label="a guess: 0.500")
    for place, curve in enumerate(found.curves):
        _draw(axes, curve.roc, place, f"{names[curve.label]}: {curve.auroc:.3f}")
    _words(axes, "ROC curve, and the area under it", "false positives (share)", "recall")
    _legend(axes, "lower right")


def _precision(axes: Axes, found: Answers, names: Sequence[str]) -> None:
    records = [sum(row) for row in found.confusion]
    for place, curve in enumerate(found.curves):
        share = records[curve.label] / sum(records)
        if len(names) == 2:
            axes.axhline(
                share,
                linestyle="--",
                color=_CHANCE,
                linewidth=1,
                label=f"a guess: {share:.3f}",
            )
        words = f"{names[curve.label]}: {curve.average_precision:.3f}"
        _draw(axes, curve.precision, place, words)
    _words(axes, "Precision and recall, and average precision", "recall", "precision")
    _legend(axes, "best")


def _calibration(axes: Axes, found: Answers, names: Sequence[str]) -> None:
    bins = found.reliability
    axes.plot([0, 1], [0, 1], linestyle="--", color=_CHANCE, linewidth=1, label="calibrated")
    if bins.records:
        what = f"of {names[found.positive]}" if len(names) == 2 else "of the predicted class"
        axes.plot(
            bins.probability,
            bins.share,
            marker="o",
            markersize=4,
            linewidth=1.6,
            color=COLOURS[0],
            label=f"bins of about {many(bins.records[0], 'record')}",
        )
        # of a rare class all is near 0
        end = min(1.0, 1.15 * max(*bins.probability, *bins.share, 0.05))
        axes.set_xlim(-0.01 * end, 1.01 * end)
        axes.set_ylim(-0.01 * end, 1.03 * end)
    else:
        what = ""
    title = f"Reliability: calibration error {bins.ece:.3f}" if bins.records else "Reliability"
    _words(axes, title, f"probability {what}".strip(), "share that is so")
    _legend(axes, "upper left")


def _confusion(axes: Axes, found: Answers, names: Sequence[str]) -> None:
    counts = np.asarray(found.confusion)
    records = counts.sum(axis=1)
    shares = counts / np.maximum(records, 1)[:, None]
    k = len(counts)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if k <= _MOST_CELLS:
        for (row, column), count in np.ndenumerate(counts):
            text = f"{count:,}\n{shares[row, column]:.0%}" if k <= 4 else f"{count:,}"
            axes.text(
                column,
                row,
                text,
                ha="center",
                va="center",
                fontsize=10 if k <= 4 else 7,
                color="white" if shares[row, column] > 0.55 else "black",
            )
    if k <= _MOST_NAMES:
        axes.set_xticks(range(k), names, rotation=0 if k <= 4 else 90)
        axes.set_yticks(range(k), names)
        for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
            label.set_parse_math(False)  # class names are data: a dollar sign is no formula
    axes.tick_params(labelsize=8, length=0)
    axes.spines[:].set_visible(False)
    total = max(int(records.sum()), 1)
    title = (
        f"Confusion: {human_share(np.trace(counts) / total)} right; always "
        f"{names[int(records.argmax())]}: {human_share(records.max() / total)}"
    )
    _words(axes, title, "taken for", "class")


def _draw(axes: Axes, points: tuple[Sequence[float], ...], place: int, label: str) -> None:
    axes.plot(
        *points,
        color=COLOURS[place % len(COLOURS)],
        linewidth=1.6,
        label=label.replace("$", r"\$"),
    )


def _words(axes: Axes, title: str, x: str, y: str) -> None:
    for text in (
        axes.set_title(title, fontsize=10),
        axes.set_xlabel(x, fontsize=9),
        axes.set_ylabel(y, fontsize=9),
    ):
        text.set_parse_math(False)


def _legend(axes: Axes, place: Any) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc=place, fontsize=7.5, frameon=True, framealpha=0.8, edgecolor="none")
