"""Series as lines over time, a row of windows a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from fdd_flower.report.chart import COLOURS, legend_below, paper
from fdd_flower.wording import many

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_CHANNELS = len(COLOURS)
TALL, WIDE = 0.85, 9.0  # inches of a row
GAP = 0.08  # between two windows, of one
SOFT = 0.02  # share of the values beyond either end of the scale


def line_rows(
    rows: Sequence[Tensor],
    labels: Sequence[str],
    title: str,
    note: str,
    *,
    unit: str,
    channels: Sequence[str],
    rate: float,
) -> Figure:
    """Return a figure with a panel for each of `rows`, (n, channels, steps); n may be 0.

    The windows of a panel stand side by side, under one scale for all panels: time, and values, of
    which the furthest may be cut. Channels above `MOST_CHANNELS` are left out.

    Parameters
    ----------
    unit
        Of the values.
    channels
        Their names.
    rate
        Samples a second; 0: time is in samples.
    """
    every = torch.cat([row.flatten() for row in rows])
    steps = rows[0].shape[2]
    shown, most = min(len(channels), MOST_CHANNELS), max(1, *(len(row) for row in rows))
    low, high = np.quantile(every.numpy(), [SOFT / 2, 1 - SOFT / 2])
    room = max(0.15 * (high - low), 1e-3)
    figure = paper((WIDE, TALL * len(rows) + 1.4))
    panels = figure.subplots(len(rows), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
    apart = steps * (1 + GAP)
    time = np.arange(steps)
    for axes, row, label in zip(panels, rows, labels, strict=True):
        for place, window in enumerate(row.numpy()):
            for channel in range(shown):
                axes.plot(
                    time + place * apart,
                    window[channel],
                    color=COLOURS[channel],
                    lw=0.8,
                    label=channels[channel],
                )
            axes.axvspan(place * apart, place * apart + steps - 1, color="0.97", zorder=0)
        if not len(row):
            grey = {"va": "center", "fontsize": 7.5, "style": "italic", "color": "0.5"}
            axes.text(0.01, 0.5, "no records", transform=axes.transAxes, **grey)
        # class names are data: a dollar sign in one is no formula
        axes.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8, parse_math=False)
        axes.tick_params(labelsize=7, length=2)
        axes.grid(axis="y", color="0.9", linewidth=0.6)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
    last = panels[-1]
    last.set_xlim(-GAP * steps / 2, most * apart - GAP * steps / 2)
    last.set_ylim(low - room, high + room)
    marks = [
        (place * apart + at, at) for place in range(most) for at in dict.fromkeys((0, steps // 2))
    ]
    word, size = _unit(steps, rate)
    last.set_xticks([at for at, _ in marks], [f"{sample * size:.3g}" for _, sample in marks])
    last.set_xlabel(f"time in {word}, windows side by side; {unit}", fontsize=8)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    if shown < len(channels):
        note += f"; {shown} of {many(len(channels), 'channel')}"
    panels[0].set_title(note, loc="left", fontsize=7.5, color="0.35")
    legend_below(figure, list(panels))
    return figure


def _unit(steps: int, rate: float) -> tuple[str, float]:
    """Return the unit that suits a window of so many samples, and how much of it a sample takes."""
    if not rate:
        return "samples", 1.0
    seconds = steps / rate
    units = ((1.0, "milliseconds", 1e3), (120.0, "seconds", 1.0), (7200.0, "minutes", 1 / 60))
    found = ((word, size) for end, word, size in units if seconds < end)
    word, size = next(found, ("hours", 1 / 3600))
    return word, size / rate
