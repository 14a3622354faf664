"""Memory and seconds over clients, each beside its limit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_flower.bench.load.rows import MOST_POOLS, MOST_SECONDS, Row
from fdd_flower.report.chart import paper, save, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, RED = "#2563a8", "#c2571a", "#b3261e"


def draw(rows: Sequence[Row], title: str, path: Path) -> None:
    """Draw `rows` into the PNG `path`; nothing if none is measured."""
    good = sorted((row for row in rows if not row.error), key=lambda row: row.clients)
    if not good:
        return
    figure = paper((9, 3.8))
    memory, seconds = figure.subplots(1, 2)
    clients = [row.clients for row in good]
    pool = [row.pool_mb or 0.0 for row in good]
    memory.plot(clients, [row.above_mb for row in good], color=BLUE, marker="o", label="peak")
    memory.plot(clients, pool, color=ORANGE, marker=".", label="pool: the merged set")
    memory.plot(
        clients,
        [MOST_POOLS * mb for mb in pool],
        color=RED,
        linestyle="--",
        label=f"{MOST_POOLS:g} times the pool",
    )
    _panel(memory, "memory above the start (MB)")
    seconds.plot(
        clients,
        [row.seconds or 0.0 for row in good],
        color=BLUE,
        marker="o",
        label="judged, written, merged",
    )
    seconds.plot(
        clients,
        [row.seconds_merge or 0.0 for row in good],
        color=ORANGE,
        marker=".",
        label="of it: merged",
    )
    seconds.axhline(MOST_SECONDS, color=RED, linestyle="--", label=f"{MOST_SECONDS:g} s")
    _panel(seconds, "seconds")
    figure.suptitle(title, fontsize=10, fontweight="bold")
    save(figure, path)


def _panel(axes: Axes, label: str) -> None:
    axes.set_xlabel("clients", fontsize=9)
    axes.set_ylabel(label, fontsize=9)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=8)
    tidy(axes)
    axes.legend(fontsize=8, frameon=False)
