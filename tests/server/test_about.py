"""What a server says of its own data before the first round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fdd_flower.config import Config, DataConfig
from fdd_flower.data.base import Dataset, Records
from fdd_flower.schema import Column, normalisation_of
from fdd_flower.server.about import about

COLUMNS = (Column(name="age"), Column(name="pain", kind="category", levels=("a", "b")))


def records(n: int) -> Records:
    return Records(inputs=np.zeros((n, 4)), labels=np.arange(n) % 2)


def test_records_classes_and_notes_are_said() -> None:
    dataset = Dataset(
        train=records(5),
        test=records(2),
        classes=("no", "yes"),
        normalisation=normalisation_of(COLUMNS),
        columns=COLUMNS,
        label="sick",
        notes=("2 spellings", "columns left out: id"),
    )
    cfg = replace(Config(), data=DataConfig(name="table"))
    assert about(cfg, dataset, dataset.notes) == [
        "data: table, 5 training and 2 test records, 2 columns (4 features) each",
        "data: 2 classes: no (3), yes (2)",
        "note: 2 spellings",
        "note: columns left out: id",
    ]
