"""What the charts have in common: paper, panels, a legend below, an axis of costs, the PNG."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_flower.run_folder.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 120
COLUMNS = 3
COLOURS = (
    "#2563a8", "#c2571a", "#2c8a57", "#8a3fa0", "#b3261e", "#0f8a8a", "#7a5c00", "#444444",
    "#d1619f", "#5f8f00",
)  # fmt: skip
MARKS = "os^Dvx*P"  # so that colours are not all that tells curves apart
MOST_MARKS = 12  # on a curve


def paper(size: tuple[float, float]) -> Figure:
    """Return an empty figure of so many inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=size, dpi=DPI, facecolor="white", layout="constrained")


def panels(count: int, *, sharey: bool = False) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure with `count` panels, at most three in a line."""
    columns = min(COLUMNS, count)
    lines = -(-count // columns)
    figure = paper((max(4.2 * columns, 6.5), 3.6 * lines + 1))
    axes = figure.subplots(lines, columns, squeeze=False, sharey=sharey).flatten()
    for unused in axes[count:]:
        unused.set_visible(False)
    return figure, list(axes[:count])


def tidy(axes: Axes) -> None:
    """Draw a faint grid behind what is drawn, and no frame but the two axes."""
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def cost_axis(axes: Axes, label: str, human: Callable[[float], str]) -> None:
    """Make x logarithmic, with marks that `human` writes."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    if high < 30 * low:  # a scale of its own width would have no mark with a number
        axes.set_xlim(low / 3, high * 3)
    low, high = axes.get_xlim()
    between = (1.0, 3.0) if high < 100 * low else (1.0,)  # powers of ten alone would be too few
    axes.xaxis.set_major_locator(LogLocator(subs=between, numticks=5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: human(x)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(label, fontsize=8)
    axes.tick_params(labelsize=8)


def legend_below(figure: Figure, axes: Sequence[Axes]) -> None:
    """Put one legend below all panels: each name once."""
    handles = {}
    for panel in axes:
        found, labels = panel.get_legend_handles_labels()
        handles |= dict(zip(labels, found, strict=True))
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=4,
        fontsize=8,
        frameon=False,
    )


def png(figure: Figure) -> bytes:
    """Return the figure as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    memory = io.BytesIO()
    with warnings.catch_warnings():
        # a class name in a script that the font lacks is drawn as boxes
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        # without a name of the software the same run draws the same bytes
        FigureCanvasAgg(figure).print_png(memory, metadata={"Software": None})
    return memory.getvalue()


def save(figure: Figure, path: Path) -> None:
    """Write the PNG; whatever happens, the file is whole."""
    write_atomic(path, png(figure))
