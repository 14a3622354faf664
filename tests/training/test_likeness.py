"""Real records beside synthetic rows: pairs against SciPy and NumPy, marginals against a count."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.stats.contingency import association

from fdd_flower.schema import Column
from fdd_flower.training.metrics.associations import associations
from fdd_flower.training.metrics.likeness import MOST_COLUMNS, distance, likeness

SITE = Column(name="site", kind="category", levels=tuple("abcd"))
DRUG = Column(name="drug", kind="category", levels=tuple("xyz"), gaps=True)
AGE, DOSE = Column(name="age"), Column(name="dose", kind="number", gaps=True)
COLUMNS = (SITE, DRUG, AGE, DOSE)


def table(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return cells of COLUMNS that go together, with gaps, and whole weights."""
    rng = np.random.default_rng(seed)
    site = rng.integers(0, 4, n).astype(float)
    drug = (site + rng.integers(0, 2, n)) % 3
    age = rng.normal(size=n) + site
    dose = age + rng.normal(size=n)
    dose[::7], drug[::11] = np.nan, np.nan
    return np.stack([site, drug, age, dose], axis=1), rng.integers(1, 5, n)


def test_pairs_are_pearson_s_r_the_correlation_ratio_and_cramer_s_v() -> None:
    cells, weights = table()
    found = associations(cells, COLUMNS, weights.astype(float))
    rows = np.repeat(cells, weights, axis=0)  # a weight is so many records
    site, drug, age, dose = rows.T
    counts = pd.crosstab(site, np.where(np.isnan(drug), -1, drug)).to_numpy()
    assert found[0, 1] == pytest.approx(association(counts, method="cramer"))
    held = ~np.isnan(dose)
    assert found[2, 3] == pytest.approx(np.corrcoef(age[held], dose[held])[0, 1])
    between = pd.Series(dose[held]).groupby(site[held]).transform("mean")
    assert found[0, 3] == pytest.approx(np.sqrt(between.var(ddof=0) / dose[held].var()))
    np.testing.assert_allclose(found, found.T)
    np.testing.assert_allclose(np.diag(found), 1)


def test_what_does_not_vary_has_no_association() -> None:
    cells = np.array([[0, 1.7e9, 1.0], [0, 1.7e9, 2.0], [0, 1.7e9, np.nan]])
    columns = (SITE, AGE, DOSE)
    found = associations(cells, columns, np.ones(3))
    assert found[2, 2] == pytest.approx(1)
    found[2, 2] = math.nan
    assert np.isnan(found).all()
    empty = associations(np.full((3, 1), np.nan), (DOSE,), np.ones(3))
    assert np.isnan(empty).all()


def test_numbers_are_apart_as_kolmogorov_and_smirnov_say() -> None:
    (real, _), (rows, weights) = table(200, 1), table(60, 2)
    age, own = real[:, 2], rows[:, 2] * 0.7 + 1
    found: Any = stats.ks_2samp(age, np.repeat(own, weights))
    assert distance(age, own, weights.astype(float), AGE) == pytest.approx(found.statistic)
    # a gap is a value above all others
    dose, made = real[:, 3], rows[:, 3]
    found = stats.ks_2samp(np.nan_to_num(dose, nan=1e9), np.nan_to_num(made, nan=1e9))
    assert distance(dose, made, np.ones(60), DOSE) == pytest.approx(found.statistic)


def test_words_are_apart_by_half_the_differences_of_their_shares() -> None:
    real = np.array([0, 0, 1, np.nan])
    rows, weights = np.array([0, 2, np.nan]), np.array([1.0, 1.0, 2.0])
    assert distance(real, rows, weights, DRUG) == pytest.approx(
        (abs(0.5 - 0.25) + 0.25 + 0.25 + abs(0.25 - 0.5)) / 2
    )


def test_bars_are_shares_of_what_is_counted() -> None:
    (real, _), (rows, weights) = table(400, 3), table(50, 4)
    found, _ = likeness(real, rows, weights.astype(float), COLUMNS)
    for at, marginal in enumerate(found.marginals):
        assert sum(marginal.real) == pytest.approx(1)
        assert sum(marginal.synthetic) == pytest.approx(1)
        missing = np.isnan(rows[:, at])
        assert marginal.synthetic[-1] == pytest.approx(weights[missing].sum() / weights.sum())
    site, age = found.marginals[0], found.marginals[2]
    assert site.words == (*SITE.levels, "(other)")
    shares = pd.Series(real[:, 0]).value_counts(normalize=True).sort_index()
    np.testing.assert_allclose(site.real[:4], shares)
    values = np.clip(rows[:, 2], age.edges[0], age.edges[-1])  # what lies beyond is in the ends
    counts, _ = np.histogram(values, age.edges, weights=weights)
    np.testing.assert_allclose(age.synthetic[:-1], counts / weights.sum())


def test_whole_numbers_have_bars_of_their_own_and_a_long_tail_has_one() -> None:
    grade = np.tile(np.arange(1.0, 6), 40)[:, None]
    amounts = np.random.default_rng(5).lognormal(size=(200, 1))
    amounts[:3] = 1e6
    cells = np.column_stack([np.zeros(200), grade, amounts])
    columns = (SITE, Column(name="grade", kind="integer"), Column(name="amount"))
    found, _ = likeness(cells, cells[:20], np.ones(20), columns)
    np.testing.assert_allclose(found.marginals[1].edges, np.arange(0.5, 6))
    assert found.marginals[2].edges[-1] < 100
    assert found.marginals[2].distance == pytest.approx(
        distance(amounts[:, 0], amounts[:20, 0], np.ones(20), columns[2])
    )


def test_the_mix_of_classes_can_be_set_aside() -> None:
    rng = np.random.default_rng(6)
    label = (rng.random(4000) < 0.9).astype(float)
    real = np.column_stack([label, rng.normal(size=4000) + 3 * label])
    classes = np.repeat([0.0, 1.0], 1000)  # rows weigh both alike
    rows = np.column_stack([classes, rng.normal(size=2000) + 3 * classes])
    _, apart = likeness(real, rows, np.ones(2000), (SITE, AGE))
    assert apart["age"]["distance"] > 0.3
    assert apart["age"]["same_classes"] < 0.06
    assert apart["site"]["same_classes"] == pytest.approx(0, abs=1e-12)


def test_of_many_columns_those_that_differ_most_are_kept() -> None:
    rng = np.random.default_rng(7)
    cells = np.column_stack([np.zeros(50), rng.normal(size=(50, 100))])
    rows = cells.copy()
    rows[:, [31, 77]] += 9
    columns = (SITE, *(Column(name=f"x{i}") for i in range(100)))
    found, apart = likeness(cells, rows, np.ones(50), columns)
    kept = [marginal.name for marginal in found.marginals]
    assert kept[0] == "site"
    assert {"x30", "x76"} < {*kept}
    assert len(kept) == len(found.real) == MOST_COLUMNS
    assert (len(apart), found.columns) == (101, 101)
