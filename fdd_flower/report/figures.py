"""The pictures of a run: its synthetic set, its rounds, and how its model answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fdd_flower.report.chart import DPI, save
from fdd_flower.report.units import one_line
from fdd_flower.run_folder.rows import RoundRow
from fdd_flower.schema import Normalisation, Schema, kind_of
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.metrics import Answers
from fdd_flower.wording import many

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_CLASSES = 25
MAX_WINDOWS = 6  # of a series side by side
FAINT = 0.1  # from black to white, below which a picture would be grey on grey
ALIKE = 10.0  # times the smallest spread of a channel: up to here all share one axis


def draw_synthetic(
    set_: SyntheticSet,
    classes: Sequence[str],
    normalisation: Normalisation,
    path: Path,
    max_columns: int = 10,
    *,
    schema: Schema | None = None,
) -> None:
    """Draw `set_` into the PNG `path`; see `synthetic_figure`."""
    save(synthetic_figure(set_, classes, normalisation, max_columns, schema=schema), path)


def synthetic_figure(
    set_: SyntheticSet,
    classes: Sequence[str],
    normalisation: Normalisation,
    max_columns: int = 10,
    *,
    schema: Schema | None = None,
) -> Figure:
    """Return a picture of `set_`: one row per class, in the set's own order.

    Of a class with more than `max_columns` records so many are shown, evenly spaced: neighbours
    may stand for similar records.

    Images of 1 or 3 channels are shown in the units of the data, clipped to [0, 1]; where the data
    had other units, or they would be grey on grey, from black at their lowest to white at their
    highest. Series are drawn over time, in seconds where `schema` knows their rate, and in the
    units of the data unless channels differ in scale: then in standard deviations, and the legend
    has each channel's. Records of any other shape are lines of a heat map, in normalised units,
    which features of different units share. A class without records keeps its row; of more than
    `MAX_CLASSES` classes only the first so many that have records are shown.

    Parameters
    ----------
    schema
        Knows the names of features, or of a series' channels, and their rate.
    """
    from fdd_flower.report._heat_map import heat_map
    from fdd_flower.report._images import image_grid
    from fdd_flower.report._lines import line_rows

    members = [torch.nonzero(set_.labels == c).flatten() for c in range(len(classes))]
    filled_first = sorted(range(len(classes)), key=lambda c: len(members[c]) == 0)
    shown = sorted(filled_first[:MAX_CLASSES])
    labels = [f"{one_line(classes[c], 20)} ({len(members[c])})" for c in shown]
    series = kind_of(set_.feature_shape) == "series"
    max_columns = min(max_columns, MAX_WINDOWS) if series else max_columns
    picks = [_evenly(members[c], max_columns) for c in shown]

    title = f"Synthetic set: {many(len(set_), 'record')}"
    note = "Rows: class (records in the set)"
    if any(len(members[c]) > max_columns for c in shown):
        note += f", {max_columns} of each"
    if len(shown) < len(classes):
        note += f"; {len(shown)} of {many(len(classes), 'class')}"

    shape = set_.feature_shape
    if len(shape) == 3 and shape[0] in (1, 3):
        pixels = normalisation.invert(set_.inputs)
        low, high = _ends(pixels)
        faint = normalisation.of_unit_range and bool(0 < high - low < FAINT)
        if faint:
            note += "; contrast is raised"
        if faint or not normalisation.of_unit_range:
            pixels = (pixels - low) / (high - low).clamp_min(1e-12)
        shown_pixels = pixels.clamp(0, 1)
        return image_grid([shown_pixels[rows] for rows in picks], labels, title, note, DPI)
    if series:
        alike = max(normalisation.std) <= ALIKE * min(normalisation.std)
        windows = normalisation.invert(set_.inputs) if alike else set_.inputs
        return line_rows(
            [windows[rows] for rows in picks],
            labels,
            title,
            note,
            unit="values in the units of the data" if alike else "values in standard deviations",
            channels=_channels(shape[0], schema, None if alike else normalisation),
            rate=schema.rate if schema else 0.0,
        )
    lines = [set_.inputs[rows].flatten(1) for rows in picks]
    features = schema.features if schema else ()
    named = features if len(features) == lines[0].shape[1] else ()
    return heat_map(lines, labels, title, note, DPI, named)


def _channels(count: int, schema: Schema | None, scale: Normalisation | None) -> list[str]:
    """Return what to call channels: by their names, and with what 0 and 1 of `scale` stand for."""
    known = schema.channels if schema else ()
    names = [one_line(name, 30) for name in known] or [f"channel {n}" for n in range(count)]
    if scale is None:
        return names
    ends = zip(names, scale.mean, scale.std, strict=True)
    return [f"{name} (0 = {mean:.4g}, 1 = {mean + std:.4g})" for name, mean, std in ends]


def draw_curves(rows: Sequence[RoundRow], path: Path, metric: str = "accuracy") -> None:
    """Draw a metric, loss and cumulative traffic over the rounds into the PNG `path`.

    Raises
    ------
    ValueError
        If there is no row.
    """
    from fdd_flower.report._curves import curves

    if not rows:
        raise ValueError("rows must hold at least one round; got none")
    save(curves(rows, DPI, metric), path)


def draw_answers(found: Answers, classes: Sequence[str], path: Path) -> None:
    """Draw how a model answers into the PNG `path`: ROC, precision-recall, reliability, confusion.

    Beside each stands what a guess would give.
    """
    from fdd_flower.report._answers import answers_figure

    save(answers_figure(found, classes), path)


def _ends(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Return what is shown as black and as white: the values that 5 % lie below, and above."""
    values = pixels.flatten().sort().values
    return values[len(values) // 20], values[-1 - len(values) // 20]


def _evenly(places: Tensor, most: int) -> Tensor:
    return places[torch.linspace(0, len(places) - 1, min(most, len(places))).round().long()]
