"""What a synthetic set looks like: a picture of images and series, a table of vectors."""

from __future__ import annotations

import base64
import sys
from html import escape
from typing import TYPE_CHECKING

import torch

from fdd_flower.report.chart import png
from fdd_flower.report.figures import synthetic_figure
from fdd_flower.results.predict import free_names
from fdd_flower.wording import many

if TYPE_CHECKING:
    from fdd_flower.api.synthetic import SyntheticSet

MOST_ROWS, MOST_COLUMNS = 12, 10  # of a table in a notebook
WIDEST = {"image": 480, "series": 720}  # pixels of a picture there


def in_notebook() -> bool:
    """Tell whether this runs in a notebook's kernel, which can show HTML."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and hasattr(shell, "kernel")


def set_picture(part: SyntheticSet) -> bytes:
    """Return a PNG: a row a class, images as they are, series over time, all else a heat map."""
    return png(synthetic_figure(part, part.classes, part.schema.normalisation, schema=part.schema))


def set_html(part: SyntheticSet) -> str:
    """Return the set as HTML that loads nothing: what it is, and what its rows are."""
    head = f"<p><strong>Synthetic set</strong>: {escape(part.summary())}</p>"
    if part.schema.kind == "vector":
        return head + _table(part)
    data = base64.b64encode(set_picture(part)).decode()
    alt, width = escape(repr(part)), WIDEST[part.schema.kind]
    return (
        f'{head}<img style="max-width: {width}px" alt="{alt}" src="data:image/png;base64,{data}">'
    )


def _table(part: SyntheticSet) -> str:
    label, weight = free_names(("class", "weight"), part.schema.features)
    frame = part.to_frame(label=label, weight=weight)
    frame = frame[[label, weight, *frame.columns[:-2]]]
    shown = frame.iloc[_spread(part)]
    table = shown.to_html(
        index=False, border=0, max_cols=MOST_COLUMNS, float_format=lambda x: f"{x:.4g}"
    )
    if len(shown) == len(frame):
        return table
    return f"{table}<p>{len(shown)} of {many(len(frame), 'row')}, from every class in turn.</p>"


def _spread(part: SyntheticSet) -> list[int]:
    """Return rows to show: of each class the first, then of each the second, in their order."""
    labels, seen = part.labels.tolist(), torch.zeros(len(part.classes), dtype=torch.int64)
    turns = []
    for label in labels:
        turns.append(int(seen[label]))
        seen[label] += 1
    order = sorted(range(len(labels)), key=lambda row: (turns[row], labels[row]))
    return sorted(order[:MOST_ROWS], key=lambda row: (labels[row], row))
