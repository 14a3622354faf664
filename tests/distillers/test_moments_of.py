"""Moments that stay are in one piece of memory a field."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from fdd_flower.distillers.objectives.moments import Moments, side_by_side


def made(count: int) -> Iterator[Moments]:
    rng = torch.Generator().manual_seed(0)
    for _ in range(count):
        yield Moments(torch.rand(5, generator=rng), covariance=torch.rand(3, 3, generator=rng))


@pytest.mark.parametrize("count", [1, 4])
def test_they_are_what_was_made_and_lie_side_by_side(count: int) -> None:
    found = side_by_side(made(count), count)
    for place, (one, then) in enumerate(zip(found, made(count), strict=True)):
        assert one.covariance is not None
        assert then.covariance is not None
        assert torch.equal(one.mean, then.mean)
        assert torch.equal(one.covariance, then.covariance)
        assert one.deviation is None
        assert one.mean.data_ptr() == found[0].mean.data_ptr() + 4 * 5 * place
