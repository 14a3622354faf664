"""The server's test records beside the rows of a merged set, of a table."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from fdd_flower.data.base import Split
from fdd_flower.data.tables.decode import cells_back
from fdd_flower.device import on_host
from fdd_flower.schema import Column, Schema
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.metrics.likeness import Likeness, likeness


def compared(
    schema: Schema, test: Split, merged: SyntheticSet | None
) -> tuple[Likeness, dict[str, dict[str, float]]] | None:
    """Return how the columns compare, the label first, and how far each is apart.

    None where records are no table, or there are no rows.
    """
    if merged is None or not schema.label or not len(test.labels):
        return None
    label = Column(name=schema.label, kind="category", levels=schema.classes)

    def cells(inputs: Tensor, labels: Tensor) -> np.ndarray:
        own = on_host(labels).double().numpy()
        return np.column_stack([own, cells_back(on_host(inputs), schema)])

    return likeness(
        cells(test.inputs, test.labels),
        cells(merged.inputs, merged.labels),
        on_host(merged.weights).double().numpy(),
        [label, *(column for column in schema.columns if column.features)],
    )
