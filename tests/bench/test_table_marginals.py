"""benchmarks/table_marginals.py: shares by hand, correlations by pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fdd_flower.schema import Column

SCRIPTS = Path(__file__).parents[2] / "benchmarks"
COLUMNS = (
    Column(name="age", gaps=True),
    Column(name="pain", kind="category", levels=("a", "b"), gaps=True),
    Column(name="height"),
)


def _table(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.normal(50, 10, n)
    pain = np.where(age + rng.normal(0, 5, n) > 50, "a", "b")
    table = pd.DataFrame({"age": age, "pain": pain, "height": age + rng.normal(0, 9, n)})
    return table.assign(label=np.where(rng.random(n) < 0.5, "yes", "no"), weight=1.0)


def _kept(records: pd.DataFrame, rows: pd.DataFrame, patch: pytest.MonkeyPatch) -> dict[str, float]:
    patch.syspath_prepend(SCRIPTS)
    from table_marginals import kept  # type: ignore[import-not-found]

    return kept(records, rows, COLUMNS)


def test_records_keep_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    table = _table(200, 0)
    table.loc[:9, "age"], table.loc[5:20, "pain"] = np.nan, None
    found = _kept(table, table.assign(weight=3.0), monkeypatch)
    assert found == pytest.approx({"words": 0, "numbers": 0, "correlations": 0}, abs=1e-12)


def test_shares_differ_by_what_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    records = pd.DataFrame(
        {"age": range(10), "pain": ["a"] * 5 + ["b"] * 4 + [None], "height": 1.0}
    )
    records = records.assign(height=range(10), label="no")
    rows = pd.DataFrame({"age": [0.0, np.nan], "pain": ["a", "b"], "height": [9.0, 9.0]})
    found = _kept(records, rows.assign(label="no", weight=[1.0, 3.0]), monkeypatch)
    assert found["words"] == pytest.approx((0.25 + 0.35 + 0.1) / 2)
    # age: a tenth became a quarter, 9 tenths gaps; height: one tenth became all
    assert found["numbers"] == pytest.approx(((0.15 + 0.9 + 0.75) / 2 + 0.9) / 2)


def test_correlations_are_those_of_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    records, rows = _table(300, 1), _table(40, 2)
    found = _kept(records, rows, monkeypatch)
    apart = []
    for label in ("no", "yes"):
        parts = []
        for table in (records, rows):
            own: Any = table[table["label"] == label]
            words = pd.get_dummies(own["pain"]).astype(float)
            parts.append(pd.concat([own[["age", "height"]], words], axis=1).corr())
        gap = (parts[0] - parts[1]).abs()
        pairs = [("age", "height"), *((x, y) for x in ("age", "height") for y in ("a", "b"))]
        apart.append(np.mean([gap.loc[pair] for pair in pairs]))
    assert found["correlations"] == pytest.approx(np.mean(apart), rel=1e-9)
