"""Records too many for memory: in files, with the bytes that they have in memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fdd_flower.config import DistillerConfig
from fdd_flower.data import large
from fdd_flower.data.base import normalised
from fdd_flower.data.images.many import read_images
from fdd_flower.data.large import by_class, mean_and_std, room, taken, taken_rows
from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.errors import DataError
from fdd_flower.schema import Normalisation
from tests.conftest import blobs, plan_for

MAPPED: list[np.ndarray] = []  # the arrays that lie in files
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (90, 3, 8, 8), dtype=np.uint8)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Have every array of over a kilobyte count as large; return where the files are made."""
    monkeypatch.setattr(large, "IN_MEMORY", 1_000)
    monkeypatch.setattr(large, "TILE", 2_000)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    memmap = np.memmap

    def noted(*args: Any, **options: Any) -> np.ndarray:
        MAPPED.append(memmap(*args, **options))
        return MAPPED[-1]

    monkeypatch.setattr(np, "memmap", noted)
    yield tmp_path / "scratch"
    MAPPED.clear()
    assert list((tmp_path / "scratch").iterdir()) == []  # whatever happens, no record stays there


def in_file(array: np.ndarray | torch.Tensor) -> bool:
    return any(np.shares_memory(np.asarray(array), mapped) for mapped in MAPPED)


def test_records_are_taken_into_a_file_as_into_memory(small: Path):
    places = RNG.permutation(90)[:70]
    found = taken(IMAGES, places)
    assert in_file(found)
    assert np.array_equal(found, IMAGES[places])
    assert not in_file(taken(IMAGES, places[:2]))  # few of them are no large array
    rows, mask = torch.from_numpy(IMAGES), torch.arange(90) % 3 > 0
    assert in_file(taken_rows(rows, mask))
    assert torch.equal(taken_rows(rows, mask), rows[mask])


def test_they_are_normalised_as_in_memory(small: Path):
    scale = Normalisation(mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    found = normalised(IMAGES, scale)
    assert in_file(found)
    assert torch.equal(found, scale.apply(IMAGES))


def test_a_class_in_one_piece_is_not_copied(small: Path):
    rows = torch.arange(3_000.0).view(300, 10)
    labels = torch.arange(300) // 100 + torch.tensor([0, 0, 1]).repeat_interleave(100)  # 0, 1, 3
    parts = list(by_class(rows, labels, 5))
    assert [len(part) for part in parts] == [100, 100, 0, 100, 0]
    assert parts[1].data_ptr() == rows[100:].data_ptr()
    mixed = torch.randperm(300)
    parts = list(by_class(rows[mixed], labels[mixed], 5))
    for label, part in enumerate(parts):
        assert torch.equal(part, rows[mixed][labels[mixed] == label])
    assert in_file(parts[0])


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_constants_are_those_of_numpy(kind: type, monkeypatch: pytest.MonkeyPatch):
    x = IMAGES.astype(kind)
    wanted = [f(axis=(0, 2, 3), dtype=np.float64).tolist() for f in (x.mean, x.std)]
    assert [found.tolist() for found in mean_and_std(x)] == wanted  # to the bit
    monkeypatch.setattr(large, "IN_MEMORY", 10_000)
    mean, std = mean_and_std(x)
    assert np.allclose([mean, std], wanted, rtol=1e-14, atol=0)


def test_images_are_read_into_a_file(tmp_path: Path, small: Path):
    paths = [tmp_path / f"{i}.png" for i in range(40)]
    for i, path in enumerate(paths):  # grey ones, then colour, then 16 bits
        pixels = IMAGES[i].transpose(1, 2, 0) if 10 < i < 30 else IMAGES[i, 0]
        deep = pixels.astype(np.uint16) * 257 if i == 35 else pixels
        Image.fromarray(deep).save(path)
    found = read_images(tmp_path, paths, (8, 8))
    assert in_file(found)
    wanted = np.repeat(IMAGES[:40, :1], 3, axis=1)
    wanted[11:30] = IMAGES[11:30]
    assert np.array_equal(found, wanted.astype(np.float32) / 255)


@pytest.mark.parametrize("name", ["dm", "kmeans", "random"])
def test_what_is_distilled_does_not_depend_on_where_records_lie(name: str, small: Path):
    data = blobs(counts=(80, 60))
    mixed = torch.randperm(140, generator=torch.Generator().manual_seed(0))
    cfg = DistillerConfig(name=name, ipc=6, steps=3, networks=2, width=4, min_records=2)
    made = []
    for limit in (large.IN_MEMORY, 2**30):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(large, "IN_MEMORY", limit)
            split = data.take(mixed)
            assert in_file(split.inputs) == (limit < 2**30)
            rng = torch.Generator().manual_seed(0)
            plan = plan_for(split)
            made.append(DISTILLERS.get(name)(cfg).distill(split, plan=plan, start=None, rng=rng))
    assert torch.equal(made[0].synthetic.inputs, made[1].synthetic.inputs)


def test_a_disk_that_is_too_small_is_said(small: Path, monkeypatch: pytest.MonkeyPatch):
    free = shutil.disk_usage(small.parent)._replace(free=10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    with pytest.raises(DataError, match=r"scratch folder .*TMPDIR"):
        room((2_000, 1_000), np.dtype(np.uint8))
