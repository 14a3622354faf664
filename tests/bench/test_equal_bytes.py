"""Baselines take at most as many bytes as the set beside them, and no row less than that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fdd_flower.bench.distil.equal_bytes import bracket_rows, drop_rows, fewest_dropped
from fdd_flower.bench.distil.message import Made, load_made, npy_bytes
from fdd_flower.bench.distil.recipe import as_set
from fdd_flower.bench.distil.worker import work
from fdd_flower.bench.job import Job, job_for
from fdd_flower.config import CodecConfig
from tests.bench.conftest import small
from tests.conftest import blobs


def _job(name: str, ipc: int, *, codec: str = "uint8", target: int = 0, **values: bool) -> Job:
    bench = small(**values)
    cfg = replace(bench.settings(name, ipc), codec=CodecConfig(name=codec))
    return job_for(
        cfg, seed=1, single_class=bench.single_class, holdout=False, out="", target_bytes=target
    )


@pytest.mark.parametrize("codec", ["float16", "float32", "uint8"])
def test_bytes_are_those_of_npy_files(codec, tmp_path):
    made = work(_job("random", 3, codec=codec))
    total = 0
    for name, array in made.parts[0].items():
        np.save(tmp_path / name, array)
        total += (tmp_path / f"{name}.npy").stat().st_size
    assert made.bytes == total == npy_bytes(made.parts[0])
    values = {"float16": 2, "float32": 4, "uint8": 1}[codec]
    extra = 2 * (128 + 4) if codec == "uint8" else 0  # lo and scale of one channel
    assert total == 30 * (64 * values + 10 * values + 4) + 3 * 128 + extra


def test_bytes_are_those_that_flower_sends():
    records = pytest.importorskip("fdd_flower.wire.records")
    made = work(_job("random", 3))
    sent = records.to_array_record(made.parts[0])
    assert made.bytes == sum(len(array.data) for array in sent.values())


@pytest.mark.parametrize("baseline", ["random", "herding", "kmeans"])
@pytest.mark.parametrize("single_class", [False, True])
def test_a_baseline_of_equal_rows_takes_equal_bytes(baseline, single_class):
    like = work(_job("random", 3, single_class=single_class))
    made = work(_job(baseline, 3, target=like.bytes, single_class=single_class))
    assert made.bytes == like.bytes
    assert made.ipc == 3


@pytest.mark.parametrize("start", [1, 3, 9])
def test_a_target_between_two_counts_is_filled_with_rows_of_some_classes(start):
    row = 64 + 10 + 4
    like = work(_job("random", 3)).bytes
    made = work(_job("random", start, target=like + 4 * row + 5))
    assert made.bytes == like + 4 * row
    part = made.decode(feature_shape=(1, 8, 8), num_classes=10)
    assert sorted(torch.bincount(part.labels).tolist()) == [3] * 6 + [4] * 4


def test_one_row_a_class_is_the_least():
    made = work(_job("random", 3, target=10))
    assert len(made.decode(feature_shape=(1, 8, 8), num_classes=10)) == 10


@pytest.mark.parametrize("target", [0, 99, 100, 150, 5_000, 10**6])
@pytest.mark.parametrize("start", [1, 7, 60])
def test_the_search_brackets_the_target(target, start):
    sizes = [0, *(100 + 37 * ipc + (ipc * 7919) % 13 for ipc in range(1, 1001))]  # wavers
    most = 300  # rows that a class has records for

    def make(ipc: int) -> tuple[int, int]:
        return sizes[min(ipc, most)], ipc

    found = bracket_rows(make, target=target, start=start)
    best = max((s for s in sizes[1 : most + 1] if s <= target), default=None)
    assert (found.fits.bytes if found.fits else None) == best
    if found.above is not None:
        assert found.above.bytes > target


def test_the_fewest_rows_go():
    assert fewest_dropped(lambda n: 100 - 3 * n, most=30, target=50) == 17
    assert fewest_dropped(lambda n: 100 - 3 * n, most=3, target=50) is None
    assert fewest_dropped(lambda n: 100 - 3 * n, most=0, target=50) is None


def test_rows_that_stay_stand_for_those_that_went():
    part = as_set(blobs(counts=(9, 4, 2)))
    less = drop_rows(part, 7)
    assert torch.bincount(less.labels).tolist() == [3, 3, 2]
    assert torch.equal(less.inputs[:3], part.inputs[:3])
    sums = torch.zeros(3).index_add_(0, less.labels, less.weights)
    assert sums.tolist() == pytest.approx([9, 4, 2])


def test_a_saved_set_comes_back(tmp_path):
    made = work(_job("dm", 2))
    made.save(tmp_path / "set.npz")
    again = load_made(Path(tmp_path / "set.npz"))
    for name in Made.__dataclass_fields__:
        if name not in ("parts", "clients"):
            assert getattr(again, name) == getattr(made, name)
    both = [m.decode(feature_shape=(1, 8, 8), num_classes=10) for m in (made, again)]
    assert torch.equal(both[0].inputs, both[1].inputs)
