"""Rows of a table: spread as the records are, and no value from fewer records than promised."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fdd_flower.config import DistillerConfig
from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.distillers.parts.marginals import (
    quantile_means,
    with_gaps,
    with_levels,
    with_marginals,
)
from fdd_flower.distillers.parts.start import group_means
from fdd_flower.schema import Column, Schema
from tests.conftest import blobs, plan_for


def _table(n: int, columns: int = 5, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, columns, generator=torch.Generator().manual_seed(seed)).exp()


@pytest.mark.parametrize(("n", "count"), [(43, 5), (40, 5), (8, 2), (9, 9)])
def test_quantile_means_equal_numpy_a_column_at_a_time(n, count):
    records = _table(n)
    got = quantile_means(records, count).numpy()
    for place, column in enumerate(records.double().numpy().T):
        means = np.array([part.mean() for part in np.array_split(np.sort(column), count)])
        want = (means - means.mean()) / means.std() * column.std() + column.mean()
        np.testing.assert_allclose(got[:, place], want, rtol=1e-9)


def test_one_value_is_the_mean_and_a_constant_column_stays_constant():
    records = _table(20)
    records[:, 1] = 3.0
    torch.testing.assert_close(quantile_means(records, 1)[0], records.double().mean(dim=0))
    assert quantile_means(records, 2)[:, 1].tolist() == [3.0, 3.0]


def test_rows_get_the_spread_of_the_records_and_keep_their_ranks():
    records, rows = _table(60), _table(6, seed=1)
    got = with_marginals(rows, records, 8)
    assert torch.equal(got.argsort(dim=0), rows.argsort(dim=0))
    assert got.dtype == rows.dtype
    torch.testing.assert_close(got.mean(dim=0), records.mean(dim=0))
    spread = records.std(dim=0, unbiased=False)
    torch.testing.assert_close(got.std(dim=0, unbiased=False), spread)


@pytest.mark.parametrize(("n", "kept"), [(48, False), (47, True), (3, True)])
def test_no_value_ever_stands_for_fewer_records(n, kept):
    rows = _table(6, seed=1)
    assert torch.equal(with_marginals(rows, _table(n), 8), rows) is kept


@pytest.mark.parametrize("columns", [3, 300])
@pytest.mark.parametrize(("n", "groups"), [(43, 5), (64, 8), (17, 2), (9, 1)])
def test_groups_are_as_large_as_one_another(n, groups, columns):
    # a column that counts the records of each group: their means are its members' numbers
    records = torch.cat([_table(n, columns), torch.eye(n)], dim=1)
    means = group_means(records, groups)
    members = (means[:, columns:] > 0).sum(dim=1)
    assert len(means) == groups
    assert int(members.sum()) == n
    assert n // groups <= int(members.min()) <= int(members.max()) <= -(-n // groups)


@pytest.mark.parametrize("ipc", [1, 4])
def test_dm_gives_a_table_the_mean_and_the_spread_of_each_class(ipc):
    data = blobs(shape=(6,), counts=(60, 40))
    cfg = DistillerConfig(name="dm", ipc=ipc, steps=5, networks=2, width=4)
    part = (
        DISTILLERS.get("dm")(cfg)
        .distill(data, plan=plan_for(data), start=None, rng=torch.Generator().manual_seed(0))
        .synthetic
    )
    for label in (0, 1):
        rows, records = part.inputs[part.labels == label], data.inputs[data.labels == label]
        assert len(rows) == ipc
        torch.testing.assert_close(rows.mean(dim=0), records.mean(dim=0), atol=1e-5, rtol=0)
        if ipc > 1:
            spread = records.std(dim=0, unbiased=False)
            torch.testing.assert_close(rows.std(dim=0, unbiased=False), spread)


def _levels(n: int, shares: tuple[float, ...], seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.eye(len(shares))[rng.choice(len(shares), n, p=shares)]


@pytest.mark.parametrize("shares", [(0.5, 0.3, 0.2), (0.97, 0.02, 0.01), (1.0, 0.0), (0.25,) * 4])
@pytest.mark.parametrize("m", [1, 2, 7])
def test_rows_have_levels_in_the_shares_of_the_records(shares, m):
    records, k = _levels(61, shares), len(shares)
    wanted = torch.randn(m, k, generator=torch.Generator().manual_seed(1))
    got = with_levels(wanted, records)
    np.testing.assert_allclose(got.sum(dim=1), 1, rtol=1e-9)
    np.testing.assert_allclose(got.mean(dim=0), records.double().mean(dim=0), atol=1e-9)
    assert float(got.min()) >= 0
    assert int((got > 0).sum()) < m + k  # a corner of the transport polytope: few are between two


def test_a_row_keeps_the_level_that_it_is_most_of():
    records = torch.eye(2)[[0, 0, 0, 0, 1, 1, 1, 1]]
    wanted = torch.tensor([[0.9, 0.2], [0.6, 0.4], [0.7, 0.1], [0.2, 0.5]])
    assert with_levels(wanted, records)[:, 0].tolist() == [1, 0, 1, 0]
    already = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    assert torch.equal(with_levels(already, records), already.double())


def _gaps(n: int, missing: int) -> torch.Tensor:
    column = torch.arange(float(n)).square()
    lacks = torch.arange(n) < missing
    return torch.stack([column.where(~lacks, torch.tensor(-3.0)), lacks.float()], dim=1)


def test_a_row_has_a_number_or_what_stands_for_none():
    records = _gaps(40, 16)
    wanted = torch.tensor([[5.0, 0.9], [4.0, 0.1], [9.0, 0.2], [1.0, 0.0], [2.0, 0.8]])
    got = with_gaps(wanted, records).numpy()
    assert got[:, 1].tolist() == [1, 0, 0, 0, 1]
    assert got[[0, 4], 0].tolist() == [-3, -3]
    held = records[16:, 0].double().numpy()
    means = held.reshape(3, 8).mean(axis=1)  # 24 records have a number, and three rows
    want = held.mean() + (means - means.mean()) * held.std() / means.std()
    np.testing.assert_allclose(got[[3, 1, 2], 0], want)


def test_a_row_of_which_half_the_records_lack_a_number_is_half_of_each():
    records = _gaps(40, 12)
    got = with_gaps(torch.tensor([[float(i), float(i)] for i in range(5)]), records)
    assert got[:, 1].tolist() == [0, 0, 0, 0.5, 1]
    held = records[12:, 0].double()
    means = torch.stack([part.mean() for part in held.split([8, 8, 8, 4])])
    spread = held.std(unbiased=False) / means.std(unbiased=False)
    last = held.mean() + (means[-1] - means.mean()) * spread
    torch.testing.assert_close(got[3, 0], (last - 3) / 2)


def test_a_number_of_fewer_records_than_promised_is_not_shown():
    records = _gaps(40, 25)  # of the 15 with a number, a row has 10 and another 5
    wanted = torch.tensor([[float(i), float(i)] for i in range(4)])
    assert with_gaps(wanted, records, 5)[1, 0] != -3
    got = with_gaps(wanted, records, 8)
    assert got[:, 1].tolist() == [0, 0.5, 1, 1]
    assert got[1:, 0].tolist() == [-3, -3, -3]
    torch.testing.assert_close(got[0, 0], records[25:, 0].double().mean())
    assert with_gaps(wanted, records, 11)[:, 0].tolist() == [-3] * 4


@pytest.mark.parametrize(("n", "m"), [(8, 1), (60, 7), (71, 8), (64, 8)])
def test_gaps_of_any_number_leave_finite_rows_of_the_same_mean(n, m):
    for missing in range(n + 1):
        records = _gaps(n, missing)
        wanted = torch.randn(m, 2, generator=torch.Generator().manual_seed(missing))
        got = with_gaps(wanted, records)
        assert bool(torch.isfinite(got).all())
        if n % m == 0:
            torch.testing.assert_close(got[:, 1].mean(), records[:, 1].double().mean())


def test_dm_gives_a_table_the_levels_and_gaps_of_each_class():
    columns = (
        Column(name="age"),
        Column(name="pain", kind="category", levels=("a", "b"), gaps=True),
        Column(name="smokes", kind="yes/no", levels=("no", "yes")),
        Column(name="dose", gaps=True),
    )
    schema = Schema.of_table(columns, classes=("a", "b"), label="sick")
    data = blobs(shape=(len(schema.features),), counts=(64, 40))
    data.inputs[:, 1:5] = _levels(104, (0.4, 0.3, 0.0, 0.3))
    data.inputs[:, 5] = (data.inputs[:, 5] > 0).float()
    data.inputs[:, 6:] = _gaps(104, 30)
    cfg = DistillerConfig(name="dm", ipc=5, steps=3, networks=2, width=4)
    plan = replace(plan_for(data), columns=columns, label="sick")
    part = (
        DISTILLERS.get("dm")(cfg)
        .distill(data, plan=plan, start=None, rng=torch.Generator().manual_seed(0))
        .synthetic
    )
    for label in (0, 1):
        rows, records = part.inputs[part.labels == label], data.inputs[data.labels == label]
        # but for groups of uneven size, as 64 records in 5 rows are
        np.testing.assert_allclose(rows[:, 1:6].mean(0), records[:, 1:6].mean(0), atol=0.02)
        np.testing.assert_allclose(rows[:, 1:5].sum(dim=1), 1, rtol=1e-6)
        assert float(rows[:, 5].min()) >= 0
        assert float(rows[:, 5].max()) <= 1
        assert bool((rows[rows[:, 7] == 1, 6] == -3).all())
