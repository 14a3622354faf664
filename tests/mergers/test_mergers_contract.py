"""Every merge rule, by being there: nothing lost, nothing invented, order kept."""

import pytest
import torch

from fdd_flower.config import MergerConfig
from fdd_flower.errors import WireError
from fdd_flower.mergers.base import MERGERS, Merger
from fdd_flower.synthetic_set import SyntheticSet

SHAPES = [(1, 8, 8), (3, 32, 32), (13,)]
CLASSES = 5


def merger(name: str) -> Merger:
    return MERGERS.get(name)(MergerConfig(name=name))


def stream() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def part(shape: tuple[int, ...], rows: int, seed: int, *, classes: int = CLASSES) -> SyntheticSet:
    rng = torch.Generator().manual_seed(seed)
    return SyntheticSet(
        inputs=torch.randn(rows, *shape, generator=rng),
        targets=torch.rand(rows, classes, generator=rng).softmax(dim=1),
        weights=torch.rand(rows, generator=rng) * 90 + 10,
        meta={"client": str(seed)},
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", MERGERS.built_in())
def test_rows_and_targets_stay_as_they_came(name: str, shape: tuple[int, ...]) -> None:
    parts = [part(shape, rows, seed) for seed, rows in enumerate([4, 1, 7])]
    merged = merger(name).merge(parts, rng=stream())
    assert torch.equal(merged.inputs, torch.cat([p.inputs for p in parts]))
    assert torch.equal(merged.targets, torch.cat([p.targets for p in parts]))
    assert bool((merged.weights > 0).all())
    assert merged.origin is not None
    assert merged.origin.tolist() == [0] * 4 + [1] + [2] * 7


@pytest.mark.parametrize("name", MERGERS.built_in())
def test_the_same_parts_give_the_same_bits(name: str) -> None:
    parts = [part((13,), 6, seed) for seed in range(3)]
    first, second = (merger(name).merge(parts, rng=stream()) for _ in range(2))
    assert torch.equal(first.weights, second.weights)
    assert torch.equal(first.inputs, second.inputs)


@pytest.mark.parametrize("name", MERGERS.built_in())
def test_another_order_of_parts_gives_the_same_rows_in_that_order(name: str) -> None:
    parts = [part((13,), 6, seed) for seed in range(3)]
    forward = merger(name).merge(parts, rng=stream())
    backward = merger(name).merge(parts[::-1], rng=stream())
    moved = torch.cat([torch.arange(start, start + 6) for start in (12, 6, 0)])
    assert torch.equal(backward.inputs, forward.inputs[moved])
    torch.testing.assert_close(backward.weights, forward.weights[moved])


@pytest.mark.parametrize("name", MERGERS.built_in())
def test_parts_are_not_changed(name: str) -> None:
    parts = [part((13,), 6, seed) for seed in range(2)]
    before = [p.weights.clone() for p in parts]
    merger(name).merge(parts, rng=stream())
    assert all(torch.equal(p.weights, b) for p, b in zip(parts, before, strict=True))


@pytest.mark.parametrize("name", MERGERS.built_in())
def test_parts_that_do_not_fit_together_are_refused(name: str) -> None:
    good = part((13,), 3, 0)
    for bad in ([], [good, part((12,), 3, 1)], [good, part((13,), 3, 1, classes=4)]):
        with pytest.raises(WireError, match=r"SyntheticSet\.parts"):
            merger(name).merge(bad, rng=stream())


def test_union_believes_the_counts() -> None:
    parts = [part((13,), 3, seed) for seed in range(2)]
    merged = merger("union").merge(parts, rng=stream())
    assert torch.equal(merged.weights, torch.cat([p.weights for p in parts]))
