"""What the server has read, in a few lines: for its own log, and for who starts a run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fdd_flower.config import Config
from fdd_flower.data.base import Dataset
from fdd_flower.methods.base import Method
from fdd_flower.progress_log import DATA, NOTE
from fdd_flower.report.units import one_line
from fdd_flower.server.measuring.thresholds import cannot_choose, wanted
from fdd_flower.wording import many

MOST_NAMES = 12  # of classes or groups, in a line
LONGEST_NAME = 24


def about(cfg: Config, dataset: Dataset, notes: Sequence[str]) -> list[str]:
    """Return what a server says of its own data before the first round."""
    counts = np.bincount(dataset.train.labels, minlength=len(dataset.classes))
    return [
        records_line(cfg, dataset, len(dataset.train)),
        f"{DATA}{classes_line(dataset.classes, counts)}",
        *(f"{NOTE}{note}" for note in notes),
    ]


def notes(cfg: Config, dataset: Dataset, method: Method) -> tuple[str, ...]:
    """Return what a user should know before the first round, of the data and of the settings."""
    why = cannot_choose(cfg, method)
    return (*dataset.notes, *([f"no threshold for {wanted(cfg.evaluation)}: {why}"] * bool(why)))


def records_line(cfg: Config, dataset: Dataset, training: int) -> str:
    """Return how many records there are and what one is."""
    return (
        f"{DATA}{cfg.data.name}, {training:,} training and "
        f"{many(len(dataset.test.labels), 'test record')}, {_shape(dataset)} each"
    )


def classes_line(names: Sequence[str], counts: np.ndarray) -> str:
    """Return the classes and how many records each has."""
    return f"{many(len(names), 'class')}: {counted(names, counts.tolist())}"


def counted(names: Sequence[str], counts: Sequence[int]) -> str:
    """Return names with their counts, at most `MOST_NAMES` of them."""
    shown = [
        f"{one_line(name, LONGEST_NAME)} ({count:,})"
        for name, count in zip(names[:MOST_NAMES], counts, strict=False)
    ]
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{', '.join(shown)}{more}"


def _shape(dataset: Dataset) -> str:
    shape = dataset.feature_shape
    if len(shape) == 1:
        columns = len(dataset.columns) or shape[0]
        return many(columns, "column") + f" ({many(shape[0], 'feature')})" * (shape[0] != columns)
    if len(shape) == 2:
        return f"{many(shape[0], 'channel')} of {many(shape[1], 'value')}"
    channels = {1: "grey", 3: "colour"}.get(shape[0], f"{shape[0]}-channel")
    return f"a {channels} image of {shape[1]}x{shape[2]}"
