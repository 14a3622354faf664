"""Groups of a class's records, each matched by rows of its own."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest
import torch

from fdd_flower.config import DistillerConfig
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import DISTILLERS, ClassRecords
from fdd_flower.distillers.parts import pipeline
from fdd_flower.distillers.parts.groups import count_of, deal, parts_of
from fdd_flower.errors import ConfigError
from fdd_flower.synthetic_set import SyntheticSet
from tests.conftest import blobs, plan_for


def distilled(data: Split, *, start: SyntheticSet | None = None, **options: object) -> SyntheticSet:
    cfg = dataclasses.replace(
        DistillerConfig(ipc=8, steps=5, networks=2, width=4, min_records=2, packing=1), **options
    )
    rng = torch.Generator().manual_seed(0)
    made = DISTILLERS.get(cfg.name)(cfg).distill(data, plan=plan_for(data), start=start, rng=rng)
    return made.synthetic


@pytest.mark.parametrize(
    ("rows", "cells", "size", "groups"),
    [
        (40, 1, 8, 5),
        (10, 4, 8, 5),
        (3, 4, 8, 1),
        (4, 4, 8, 2),
        (10, 4, 1, 10),
        (9, 1, 0, 1),
        (1, 1, 8, 1),
    ],
)
def test_a_group_has_at_least_as_many_images_as_asked_and_a_row(rows, cells, size, groups):
    assert count_of(rows, cells=cells, size=size) == groups


@pytest.mark.parametrize("width", [3, 50])
def test_neighbours_are_in_a_group_and_each_row_stands_for_as_many(width):
    rng = torch.Generator().manual_seed(1)
    records = torch.randn(101, width, generator=rng)
    records[:, 0] += 100 * torch.arange(101)  # in a row, whatever their order
    order = torch.randperm(101, generator=rng)
    found = deal(records[order], torch.zeros(9, width), 4)
    assert sorted(torch.cat([g.records for g in found]).tolist()) == list(range(101))
    assert sorted(torch.cat([g.rows for g in found]).tolist()) == list(range(9))
    assert {len(g.rows) for g in found} == {2, 3}
    assert all(abs(len(g.records) - len(g.rows) * 101 / 9) < 2 for g in found)
    spans = sorted((order[g.records] for g in found), key=min)
    assert all(a.max() < b.min() for a, b in pairwise(spans))


def test_means_of_a_group_are_dealt_back_to_it():
    rng = torch.Generator().manual_seed(2)
    records = torch.randn(600, 64, generator=rng) * torch.linspace(3, 0.1, 64)
    first = deal(records, torch.zeros(20, 64), 5)
    means = torch.stack(
        [records[g.records[start::4]].mean(dim=0) for g in first for start in range(4)]
    )
    shuffled = torch.randperm(20, generator=rng)
    again = deal(records, means[shuffled], 5)
    for place, group in enumerate(again):
        assert sorted((shuffled[group.rows] // 4).tolist()) == [place] * 4
        assert torch.equal(group.records, first[place].records)


def test_groups_of_a_part_have_all_of_its_records_and_rows():
    part = ClassRecords(label=3, inputs=torch.randn(50, 1, 6, 6), rows=10)
    found = list(parts_of(part, cells=4, size=8))
    assert [p.rows for p in found] == [2] * 5
    assert sum(len(p.inputs) for p in found) == 50
    assert {p.label for p in found} == {3}
    assert list(parts_of(part, cells=4, size=0)) == [part]


def test_a_class_of_few_images_is_matched_whole():
    data = blobs(counts=(80, 60))
    few = distilled(data, ipc=7, group_size=4)
    assert torch.equal(few.inputs, distilled(data, ipc=7, group_size=0).inputs)
    more = distilled(data, group_size=4)
    assert not torch.equal(more.inputs, distilled(data, group_size=0).inputs)


def modes() -> Split:
    """Return one class of bright and of dark images, and another one."""
    data = blobs(counts=(200, 60), shape=(1, 8, 8))
    level = torch.zeros(260)
    level[:100], level[100:200] = -6.0, 6.0
    return dataclasses.replace(data, inputs=data.inputs * 0.3 + level[:, None, None, None])


@pytest.mark.parametrize("name", ["dm", "dm-krr"])
def test_rows_keep_to_their_groups(name):
    made = distilled(modes(), name=name, group_size=2, steps=20)
    means = made.inputs[made.labels == 0].flatten(1).mean(dim=1)
    assert int((means > 3).sum()) == int((means < -3).sum()) == 4


@pytest.mark.parametrize("name", ["dm", "dm-krr"])
def test_a_later_round_deals_the_rows_that_it_starts_from(name, monkeypatch):
    data = modes()
    made = distilled(data, group_size=2)
    rng = torch.Generator().manual_seed(3)
    shuffled = torch.randperm(len(made), generator=rng)
    first = dataclasses.replace(
        made,
        inputs=made.inputs[shuffled],
        targets=made.targets[shuffled],
        weights=made.weights[shuffled],
    )
    seen = []

    def watched(records, rows, groups):
        found = deal(records, rows, groups)
        seen.append([rows[g.rows].mean(dim=1).sign().sum().abs() == len(g.rows) for g in found])
        return found

    monkeypatch.setattr(pipeline, "deal", watched)
    again = distilled(data, name=name, start=first, group_size=2)
    assert len(again) == len(first)
    assert len(seen[0]) == 4
    assert all(seen[0])


def test_a_client_with_one_class_solves_the_same_problem_for_it():
    data = blobs(counts=(80, 60))
    both, only = distilled(data, group_size=4), data.labels == 1
    alone = dataclasses.replace(data, inputs=data.inputs[only], labels=data.labels[only])
    made = distilled(alone, group_size=4)
    torch.testing.assert_close(made.inputs, both.inputs[both.labels == 1], atol=1e-5, rtol=0)


def test_a_group_gives_no_image_for_fewer_records_than_allowed():
    data = blobs(counts=(40, 16))
    made = distilled(data, ipc=10, min_records=8, group_size=2, steps=1)
    assert torch.bincount(made.labels).tolist() == [5, 2]


def test_a_network_that_has_time_for_few_records_sees_some_of_each_group():
    data = blobs(counts=(200, 150))
    made = distilled(data, ipc=20, group_size=2, sample=3)
    assert bool(torch.isfinite(made.inputs).all())


@pytest.mark.parametrize("name", ["ncfm", "krr", "dc", "dsa"])
def test_who_has_no_groups_refuses_their_size(name):
    with pytest.raises(ConfigError, match=r"distiller\.group-size: expected 8 with"):
        distilled(blobs(counts=(60, 40)), name=name, group_size=4)
