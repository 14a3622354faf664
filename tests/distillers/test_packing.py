"""Packing against plain loops over cells."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.fft import dct, dctn, idct

from fdd_flower.distillers.parts.packing import Packing
from fdd_flower.synthetic_set import SyntheticSet


@pytest.mark.parametrize(("factor", "side"), [(2, 8), (4, 8), (3, 28), (2, 9)])
def test_a_cell_is_the_image_averaged_over_its_area(factor, side):
    images = torch.rand(2 * factor**2, 3, side, side)
    rows = Packing(factor, "pixels").pack(images)
    assert rows.shape == (2, 3, side, side)
    small = side // factor
    wanted = torch.nn.functional.adaptive_avg_pool2d(images, small)
    for i in range(len(images)):
        row, cell = divmod(i, factor**2)
        y, x = (small * k for k in divmod(cell, factor))
        torch.testing.assert_close(rows[row, :, y : y + small, x : x + small], wanted[i])


@pytest.mark.parametrize("basis", ["pixels", "dct"])
@pytest.mark.parametrize(("factor", "side"), [(2, 8), (4, 8), (3, 28), (2, 9), (1, 5)])
def test_images_of_one_value_each_come_back(factor, side, basis):
    packing = Packing(factor, basis)
    values = torch.rand(2 * factor**2, 1, 1, 1)
    images = values.expand(-1, 1, side, side)
    torch.testing.assert_close(packing.images(packing.pack(images)), images)


def _cosines(images: torch.Tensor) -> np.ndarray:
    return np.asarray(dctn(images.numpy(), axes=(2, 3), norm="ortho"))


def test_frequencies_are_scipys_and_the_highest_are_lost():
    images = torch.rand(8, 3, 6, 10)
    packing = Packing(2, "dct")
    rows = packing.pack(images)
    assert rows.shape == (2, 3, 6, 10)
    wanted = _cosines(images)
    lengths = (np.arange(6)[:, None] / 6) ** 2 + (np.arange(10)[None] / 10) ** 2
    kept = lengths.ravel().argsort(kind="stable")[:15]
    for i in range(8):
        row, cell = divmod(i, 4)
        got = rows[row].flatten(1)[:, 15 * cell : 15 * (cell + 1)]
        np.testing.assert_allclose(got, wanted[i].reshape(3, 60)[:, kept], atol=1e-5)
    again = _cosines(packing.images(rows)).reshape(8, 3, 60)
    cut = wanted.reshape(8, 3, 60) * np.isin(np.arange(60), kept)
    np.testing.assert_allclose(again, cut, atol=1e-5)


@pytest.mark.parametrize(("factor", "steps"), [(2, 12), (3, 10), (4, 9)])
def test_series_keep_the_lowest_frequencies_of_each_channel(factor: int, steps: int):
    series, packing = torch.rand(2 * factor, 3, steps), Packing(factor, "time")
    rows = packing.pack(series)
    assert rows.shape == (2, 3, steps)
    assert packing.cells == factor
    wanted, few = np.asarray(dct(series.numpy(), axis=2, norm="ortho")), steps // factor
    for i in range(2 * factor):
        row, cell = divmod(i, factor)
        got = rows[row, :, few * cell : few * (cell + 1)]
        np.testing.assert_allclose(got, wanted[i, :, :few], atol=1e-5)
    assert not rows[:, :, few * factor :].any()
    wanted[:, :, few:] = 0
    again = packing.images(rows)
    low = np.asarray(idct(wanted, axis=2, norm="ortho"))
    np.testing.assert_allclose(again, low, atol=1e-5)
    torch.testing.assert_close(packing.pack(again), rows)


def test_an_image_of_low_frequencies_comes_back_whole():
    y, x = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    images = torch.stack([torch.cos(torch.pi * (x + 0.5) * k / 28) * (y + k) for k in range(4)])
    packing = Packing(2, "dct")
    again = packing.images(packing.pack(images[:, None]))
    assert float((again - images[:, None]).abs().max()) < 0.02 * float(images.max())


@pytest.mark.parametrize("basis", ["pixels", "dct"])
def test_unpacking_is_differentiable_in_every_value_of_a_row(basis):
    rows = torch.rand(1, 1, 8, 8, requires_grad=True)
    Packing(2, basis).images(rows).square().sum().backward()
    assert rows.grad is not None
    assert bool((rows.grad != 0).all())


def test_a_row_s_target_and_weight_are_shared_by_its_images():
    packed = SyntheticSet(
        inputs=torch.rand(2, 1, 8, 8),
        targets=torch.tensor([[0.25, 0.75], [1.0, 0.0]]),
        weights=torch.tensor([8.0, 4.0]),
    )
    part = Packing(2, "pixels").unpack(packed)
    assert len(part) == 8
    assert torch.equal(part.targets[:4], packed.targets[:1].expand(4, 2))
    assert torch.equal(part.weights, torch.tensor([2.0] * 4 + [1.0] * 4))
    assert Packing(1).unpack(packed) is packed
