"""The test records of a table beside a merged set, against pandas over what is exported."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fdd_flower.data.base import Split
from fdd_flower.data.tables.decode import frame_of
from fdd_flower.schema import Column, Schema
from fdd_flower.server.measuring.likeness import compared
from fdd_flower.synthetic_set import SyntheticSet

SCHEMA = Schema.of_table(
    (
        Column(name="left out", kind="ignore"),
        Column(name="age", kind="integer", low=0, high=100, centre=50, scale=15, gaps=True),
        Column(name="pain", kind="category", levels=("none", "some")),
    ),
    classes=("no", "yes"),
    label="sick",
)


def rows(n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, 5, generator=torch.Generator().manual_seed(seed))


def test_columns_are_compared_as_they_are_exported() -> None:
    test = Split(inputs=rows(200, 0), labels=torch.arange(200) % 2, classes=SCHEMA.classes)
    merged = SyntheticSet(
        inputs=rows(20, 1), targets=torch.eye(2)[torch.arange(20) % 2], weights=torch.ones(20)
    )
    found = compared(SCHEMA, test, merged)
    assert found is not None
    alike, apart = found
    assert list(apart) == [m.name for m in alike.marginals] == ["sick", "age", "pain"]
    assert apart["sick"]["distance"] == pytest.approx(0)
    shares = [
        frame_of(part, SCHEMA)["pain"].value_counts(normalize=True)
        for part in (test.inputs, merged.inputs)
    ]
    wanted = shares[0].sub(shares[1], fill_value=0).abs().sum() / 2
    assert apart["pain"]["distance"] == pytest.approx(wanted)
    gaps = frame_of(test.inputs, SCHEMA)["age"].isna().mean()
    assert alike.marginals[1].real[-1] == pytest.approx(gaps)
    assert np.isfinite(alike.real).all()


def test_other_data_and_runs_without_rows_are_not_compared() -> None:
    test = Split(inputs=rows(4, 0), labels=torch.arange(4) % 2, classes=SCHEMA.classes)
    merged = SyntheticSet(inputs=rows(1, 1), targets=torch.eye(2)[:1], weights=torch.ones(1))
    assert compared(SCHEMA, test, None) is None
    assert compared(replace(SCHEMA, label=""), test, merged) is None
