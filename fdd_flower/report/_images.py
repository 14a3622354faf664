"""Images in a grid, each image pixel a whole number of picture pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor
from torch.nn.functional import interpolate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELL = 72
_LARGEST = 128
_GAP = 6
_TOP, _BOTTOM, _RIGHT = 60, 16, 24
_LETTER = 8.0
_NARROWEST = 560


def image_grid(
    rows: Sequence[Tensor], labels: Sequence[str], title: str, note: str, dpi: int
) -> Figure:
    """Return a figure with a row for each of `rows`, (n, c, h, w) in [0, 1]; n may be 0."""
    from matplotlib.figure import Figure

    cells = [[_cell(image) for image in row] for row in rows]
    height, width = next(cell.shape[:2] for row in cells for cell in row)
    columns = max(len(row) for row in cells)
    mosaic = np.ones((len(rows) * (height + _GAP), columns * (width + _GAP), 3), np.float32)
    for i, row in enumerate(cells):
        for j, cell in enumerate(row):
            top, left = i * (height + _GAP), j * (width + _GAP)
            mosaic[top : top + height, left : left + width] = cell

    # the axes cover exactly as many pixels as the mosaic has, so that nothing is resampled
    left = 20 + int(_LETTER * max(len(label) for label in labels))
    tall, wide = mosaic.shape[:2]
    full_wide, full_tall = max(left + wide + _RIGHT, _NARROWEST), _TOP + tall + _BOTTOM
    figure = Figure(figsize=(full_wide / dpi, full_tall / dpi), dpi=dpi, facecolor="white")
    box = (left / full_wide, _BOTTOM / full_tall, wide / full_wide, tall / full_tall)
    axes = figure.add_axes(box, frameon=False)
    axes.imshow(mosaic, interpolation="none", aspect="auto")

    axes.set_yticks([i * (height + _GAP) + height / 2 for i in range(len(rows))], labels)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0, labelsize=8)
    # class names are data: a dollar sign in one is no formula
    for text in axes.get_yticklabels():
        text.set_parse_math(False)
    for i, row in enumerate(cells):
        if not row:
            axes.text(
                4,
                i * (height + _GAP) + height / 2,
                "no records",
                va="center",
                fontsize=8,
                style="italic",
                color="0.5",
            )
    figure.text(10 / full_wide, 1 - 14 / full_tall, title, va="top", fontsize=10, fontweight="bold")
    figure.text(10 / full_wide, 1 - 36 / full_tall, note, va="top", fontsize=7.5, color="0.35")
    return figure


def _cell(image: Tensor) -> np.ndarray:
    """Return `image`, (c, h, w), as (H, W, 3), enlarged in whole steps to about `_CELL` pixels."""
    longest = max(image.shape[1:])
    if longest > _LARGEST:
        size = [max(1, round(side * _LARGEST / longest)) for side in image.shape[1:]]
        image = interpolate(image[None], size=size, mode="area")[0]
    scale = max(1, round(_CELL / max(image.shape[1:])))
    large = image.repeat_interleave(scale, dim=1).repeat_interleave(scale, dim=2)
    return large.expand(3, -1, -1).permute(1, 2, 0).numpy()
