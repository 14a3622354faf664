"""Rows of a table: spread as the records are, and no value from fewer records than promised."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fdd_flower.config import DistillerConfig
from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.distillers.parts.marginals import quantile_means, with_marginals
from fdd_flower.distillers.parts.start import group_means
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
