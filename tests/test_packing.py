"""Packing against plain loops over cells."""

from __future__ import annotations

import pytest
import torch

from fdd_flower.packing import pack, unpack, unpack_images
from fdd_flower.synthetic_set import SyntheticSet


@pytest.mark.parametrize(("factor", "side"), [(2, 8), (4, 8), (3, 28), (2, 9)])
def test_a_cell_is_the_image_averaged_over_its_area(factor, side):
    images = torch.rand(2 * factor**2, 3, side, side)
    rows = pack(images, factor)
    assert rows.shape == (2, 3, side, side)
    small = side // factor
    wanted = torch.nn.functional.adaptive_avg_pool2d(images, small)
    for i in range(len(images)):
        row, cell = divmod(i, factor**2)
        y, x = (small * k for k in divmod(cell, factor))
        torch.testing.assert_close(rows[row, :, y : y + small, x : x + small], wanted[i])


@pytest.mark.parametrize(("factor", "side"), [(2, 8), (4, 8), (3, 28), (2, 9), (1, 5)])
def test_images_of_one_value_each_come_back(factor, side):
    values = torch.rand(2 * factor**2, 1, 1, 1)
    images = values.expand(-1, 1, side, side)
    torch.testing.assert_close(unpack_images(pack(images, factor), factor), images)


def test_unpacking_is_differentiable_in_every_pixel_of_a_cell():
    rows = torch.rand(1, 1, 8, 8, requires_grad=True)
    unpack_images(rows, 2).square().sum().backward()
    assert rows.grad is not None
    assert bool((rows.grad != 0).all())


def test_a_row_s_target_and_weight_are_shared_by_its_images():
    packed = SyntheticSet(
        inputs=torch.rand(2, 1, 8, 8),
        targets=torch.tensor([[0.25, 0.75], [1.0, 0.0]]),
        weights=torch.tensor([8.0, 4.0]),
    )
    part = unpack(packed, 2)
    assert len(part) == 8
    assert torch.equal(part.targets[:4], packed.targets[:1].expand(4, 2))
    assert torch.equal(part.weights, torch.tensor([2.0] * 4 + [1.0] * 4))
    assert unpack(packed, 1) is packed
