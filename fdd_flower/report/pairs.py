"""Synthetic rows above the real records that they are nearest to, so that a person sees copying."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from fdd_flower.report.chart import DPI, save
from fdd_flower.schema import Normalisation

LABELS = ("synthetic row", "nearest record")


def draw_pairs(
    rows: Tensor, records: Tensor, normalisation: Normalisation, title: str, note: str, path: Path
) -> None:
    """Draw pairs into the PNG `path`: images in two lines, all else as lines of a heat map.

    Parameters
    ----------
    rows, records
        (n, *feature_shape), a pair a place; normalised.
    """
    from fdd_flower.report._heat_map import heat_map
    from fdd_flower.report._images import image_grid

    if rows.ndim == 4 and rows.shape[1] in (1, 3):
        pictures = [normalisation.invert(each).clamp(0, 1) for each in (rows, records)]
        save(image_grid(pictures, LABELS, title, note, DPI), path)
        return
    save(heat_map([rows.flatten(1), records.flatten(1)], LABELS, title, note, DPI), path)
