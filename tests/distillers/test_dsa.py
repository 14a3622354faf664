"""Siamese augmentation: one draw, the same change of every input, with gradients."""

from __future__ import annotations

import pytest
import torch

from fdd_flower.distillers.objectives.siamese import CUTOUT, recolour, siamese, square


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 12, 10), (13,), (2, 20)])
@pytest.mark.parametrize("seed", range(6))
def test_records_and_rows_are_changed_alike(shape, seed):
    change = siamese(shape, rng=torch.Generator().manual_seed(seed))
    records, rows = torch.randn(5, *shape), torch.randn(2, *shape)
    together = change(torch.cat([records, rows]))
    torch.testing.assert_close(torch.cat([change(records), change(rows)]), together)
    assert together.shape == (7, *shape)


def test_all_three_kinds_come_and_each_can_be_differentiated():
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(2, 1, 8, 8).double() + 1
    changed = [siamese((1, 8, 8), rng=rng) for _ in range(12)]
    cut = [bool((change(images.float()) == 0).any()) for change in changed]
    assert any(cut)
    assert not all(cut)
    for change in changed[:4]:
        rows = images.float().requires_grad_()
        change(rows).square().sum().backward()
        assert rows.grad is not None
        assert rows.grad.abs().sum() > 0


def test_recolour_moves_the_mean_and_scales_the_deviation():
    images = torch.randn(3, 2, 5, 5)
    changed = recolour(images, 0.25, 1.5)
    torch.testing.assert_close(changed.mean(dim=(1, 2, 3)), images.mean(dim=(1, 2, 3)) + 0.25)
    torch.testing.assert_close(changed.std(dim=(1, 2, 3)), images.std(dim=(1, 2, 3)) * 1.5)


def test_the_square_is_one_and_no_larger_than_told():
    for seed in range(20):
        mask = square(16, 16, rng=torch.Generator().manual_seed(seed))
        rows, columns = (mask == 0).any(dim=1).sum(), (mask == 0).any(dim=0).sum()
        assert (mask == 0).sum() == rows * columns
        assert 1 <= rows <= CUTOUT * 16 + 1
