"""Where rows start: no centre stands for fewer records than promised."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch

from fdd_flower.distillers.base import ClassRecords
from fdd_flower.distillers.parts.clock import Clock
from fdd_flower.distillers.parts.groups import principal_axis
from fdd_flower.distillers.parts.sharpen import sharpened
from fdd_flower.distillers.parts.start import (
    class_means,
    dissolve_small,
    halve_large,
    kmeans_centres,
    start_images,
)
from tests.conftest import blobs


def test_small_clusters_are_merged_into_their_nearest():
    flat = np.array([[0.0]] * 9 + [[10.0]] * 9 + [[11.0]] * 2 + [[-1.0]])
    members = np.repeat([0, 1, 2, 3], [9, 9, 2, 1])
    assert dissolve_small(flat, members, 8).tolist() == [0] * 9 + [1] * 11 + [0]


def test_dissolving_equals_a_loop_over_records_and_needs_no_table_of_differences():
    rng = np.random.default_rng(0)
    flat = (rng.normal(size=(3000, 200)) + 100).astype(np.float32)
    first = rng.integers(0, 90, size=3000)
    want = first.copy()
    while np.unique(want, return_counts=True)[1].min() < 150:
        names, sizes = np.unique(want, return_counts=True)
        others = np.delete(names, sizes.argmin())
        centres = np.stack([flat[want == name].mean(axis=0) for name in others])
        for place in np.flatnonzero(want == names[sizes.argmin()]):
            want[place] = others[np.square(flat[place] - centres).sum(axis=1).argmin()]
    tracemalloc.start()
    got = dissolve_small(flat, first, 150)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (got == want).mean() > 0.99
    assert peak < flat.nbytes / 2


def test_one_cluster_is_left_alone_however_small():
    assert dissolve_small(np.zeros((3, 2)), np.zeros(3, dtype=int), 8).tolist() == [0, 0, 0]


def test_large_clusters_are_halved_where_both_halves_are_large_enough():
    flat = np.array([[0.0]] * 8 + [[1.0]] * 8 + [[50.0]] * 9 + [[51.0]])
    members = np.repeat([0, 5], [16, 10])
    halved = halve_large(flat, members, 9, 8, seed=0)
    # 16 records make two clusters of 8; 9 and 1 would be too few, so those stay together.
    assert len(set(halved[:8])) == len(set(halved[8:16])) == len(set(halved[16:])) == 1
    assert len(set(halved)) == 3


def test_halving_stops_at_the_number_of_rows_wanted():
    flat = np.random.default_rng(0).normal(size=(200, 3))
    assert len(set(halve_large(flat, np.zeros(200, dtype=int), 4, 8, seed=0))) == 4


@pytest.mark.parametrize("seed", range(5))
def test_every_centre_is_the_mean_of_at_least_min_records_records(seed):
    inputs = blobs(counts=(100,), seed=seed).inputs
    centres = kmeans_centres(inputs, 12, min_records=8, rng=torch.Generator().manual_seed(seed))
    # Lloyd's own property: the records nearest to a centre have that centre as their mean.
    # Dissolving moves a few, so only the count is asked for, and the grand mean is kept.
    nearest = torch.cdist(inputs.flatten(1), centres.flatten(1)).argmin(dim=1)
    assert 1 <= len(centres) <= 12
    assert torch.bincount(nearest, minlength=len(centres)).sum() == 100
    for centre in centres:
        distances = (inputs - centre).flatten(1).norm(dim=1)
        assert float(distances.min()) > 1e-3, "a centre is a copy of a record"


def test_kmeans_finds_well_separated_means():
    data = blobs(counts=(50, 50, 50), seed=3)
    centres = kmeans_centres(data.inputs, 3, min_records=8, rng=torch.Generator())
    means = torch.stack([data.inputs[data.labels == c].mean(dim=0) for c in range(3)])
    gaps = torch.cdist(means.flatten(1), centres.flatten(1)).min(dim=1).values
    assert float(gaps.max()) < 1e-3


@pytest.mark.parametrize("start", ["kmeans", "sharp", "class-mean", "noise", "real-unsafe"])
def test_starts_give_rows_of_the_class_shape(start):
    inputs = blobs(counts=(64,)).inputs
    part = ClassRecords(label=0, inputs=inputs, rows=4)
    rng = torch.Generator().manual_seed(0)
    rows = start_images(part, 4, start=start, min_records=8, rng=rng, clock=Clock(60), until=60)
    assert rows.shape[1:] == (1, 8, 8)
    gaps = (rows[:, None] - inputs[None]).flatten(2).abs().amax(dim=2).min(dim=1).values
    assert bool((gaps == 0).all()) is (start == "real-unsafe")


@pytest.mark.parametrize("columns", [5, 300])
def test_the_principal_axis_is_that_of_the_singular_value_decomposition(columns):
    rng = np.random.default_rng(0)
    table = rng.normal(size=(500, columns)) + 3 * rng.normal(size=(500, 1)) * np.ones(columns)
    narrow = torch.from_numpy(table.astype(np.float32))
    axis = principal_axis(narrow)
    got = (narrow.to(axis.dtype) @ axis).numpy()
    left, *_ = np.linalg.svd(table - table.mean(axis=0))
    assert abs(np.corrcoef(got, left[:, 0])[0, 1]) > 0.99


@pytest.mark.filterwarnings("error")
def test_equal_records_have_equal_means():
    same = torch.full((64, 1, 8, 8), 2.0)
    rng = torch.Generator().manual_seed(0)
    rows = class_means(same, 8, min_records=8, rng=rng, clock=Clock(60), until=60)
    assert torch.equal(rows, same[:8])


@pytest.mark.parametrize("shape", [(6,), (1, 8, 8), (3, 16, 16)])
def test_there_are_as_many_rows_as_the_records_have_room_for(shape):
    # one far group of 5: 2-means cuts it off, and that leaves k-means with too few clusters
    near, far = (torch.rand(n, *shape, generator=torch.Generator().manual_seed(n)) for n in (35, 5))
    inputs = torch.cat([near, 100 + far])
    rng = torch.Generator().manual_seed(0)
    assert len(kmeans_centres(inputs, 5, min_records=8, rng=rng)) < 5
    rows = class_means(inputs, 9, min_records=8, rng=rng, clock=Clock(60), until=60)
    assert rows.shape == (5, *shape)
    torch.testing.assert_close(rows.mean(dim=0), inputs.mean(dim=0))  # groups of 8 each


def test_kmeans_is_what_it_was_while_there_is_time_and_equal_groups_when_there_is_none():
    inputs = blobs(counts=(200,)).inputs
    made = [
        class_means(
            inputs,
            10,
            min_records=8,
            rng=torch.Generator().manual_seed(0),
            clock=Clock(60),
            until=until,
        )
        for until in (60.0, 0.0)
    ]
    rng = torch.Generator().manual_seed(0)
    assert torch.equal(made[0], kmeans_centres(inputs, 10, min_records=8, rng=rng))
    assert not torch.equal(made[1], made[0])
    torch.testing.assert_close(made[1].mean(dim=0), inputs.mean(dim=0))


def test_sharpened_rows_vary_as_records_do_and_keep_their_mean():
    rng = torch.Generator().manual_seed(0)
    # one coarse shape that neighbours share, and fine noise that they do not
    strength = torch.linspace(-3, 3, 400).view(-1, 1, 1, 1)
    records = strength * torch.ones(1, 2, 16, 12) + torch.randn(400, 2, 16, 12, generator=rng)
    blurred = records.view(50, 8, 2, 16, 12).mean(dim=1)
    sharp = sharpened(blurred, records)
    torch.testing.assert_close(sharp.mean(dim=0), blurred.mean(dim=0), atol=1e-5, rtol=0)
    fine = [(x - x.mean(dim=(2, 3), keepdim=True)).std() for x in (records, blurred, sharp)]
    assert float(fine[1] / fine[0]) == pytest.approx(8**-0.5, rel=0.03)
    assert float(fine[2] / fine[0]) == pytest.approx(1, rel=0.05)
    coarse = [x.mean(dim=(2, 3)).std() for x in (records, sharp)]
    assert float(coarse[1] / coarse[0]) == pytest.approx(1, rel=0.02)


def test_sharpening_scales_up_by_no_more_than_averaging_scaled_down():
    rng = torch.Generator().manual_seed(0)
    records = 100 * torch.randn(40, 1, 8, 8, generator=rng)
    rows = torch.randn(5, 1, 8, 8, generator=rng)
    ratio = (sharpened(rows, records) - rows.mean(dim=0)).norm() / (rows - rows.mean(dim=0)).norm()
    assert float(ratio) == pytest.approx(8**0.5)


@pytest.mark.filterwarnings("error")
def test_sharpening_leaves_alone_what_does_not_vary():
    same = torch.full((64, 1, 8, 8), 2.0)
    torch.testing.assert_close(sharpened(same[:8], same), same[:8])
    assert torch.equal(sharpened(same[:1], same), same[:1])
