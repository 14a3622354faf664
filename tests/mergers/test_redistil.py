"""A bounded set that the server distils itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from fdd_flower.config import MergerConfig
from fdd_flower.mergers import redistil
from fdd_flower.mergers._pick import joined
from fdd_flower.mergers.redistil import Redistil
from fdd_flower.synthetic_set import LazySets, SyntheticSet
from tests.mergers.test_mergers_contract import stream

CLASSES = 3


def client(seed: int, counts: tuple[int, ...], *, soft: bool = False) -> SyntheticSet:
    labels = torch.arange(CLASSES).repeat_interleave(torch.tensor(counts))
    rng = torch.Generator().manual_seed(seed)
    noise = torch.randn(len(labels), 1, 8, 8, generator=rng)
    targets = torch.eye(CLASSES)[labels]
    if soft:
        targets = 0.7 * targets + 0.3 * torch.rand(targets.shape, generator=rng).softmax(dim=1)
    return SyntheticSet(
        inputs=0.3 * noise + 2 * labels[:, None, None, None], targets=targets,
        weights=torch.full((len(labels),), 10.0 + seed),
    )  # fmt: skip


def merged(parts: list[SyntheticSet] | LazySets, rows: int = 6) -> SyntheticSet:
    cfg = MergerConfig(name="redistil", rows=rows, steps=3)
    return Redistil(cfg).merge(parts, rng=stream())


def test_large_classes_are_distilled_and_small_ones_stay() -> None:
    parts = [client(0, (20, 2, 6)), client(1, (20, 3, 0))]
    found = merged(parts)
    assert torch.bincount(found.labels).tolist() == [6, 5, 6]
    assert found.origin is not None
    made = found.origin < 0
    assert torch.equal(made, found.labels == 0)
    came = torch.cat([p.inputs[p.labels > 0] for p in parts])
    assert torch.equal(found.inputs[~made], came)
    assert found.origin[~made].tolist() == [0] * 8 + [1] * 3
    # distilled rows are none that came, and lie among them
    assert not (found.inputs[made][:, None] == parts[0].inputs[None]).flatten(2).all(dim=2).any()
    assert abs(float(found.inputs[made].mean())) < 0.2


def test_a_row_has_the_mean_target_of_the_rows_nearest_to_it() -> None:
    part = client(0, (20, 20, 20), soft=True)
    found = merged([part])
    for label in range(CLASSES):
        new, old = found.labels == label, part.labels == label
        away = (part.inputs[old].flatten(1)[:, None] - found.inputs[new].flatten(1)[None]).norm(
            dim=2
        )
        nearest = away.argmin(dim=1)
        for place in nearest.unique():
            mean = part.targets[old][nearest == place].mean(dim=0)
            torch.testing.assert_close(found.targets[new][place], mean)
    totals = [float(found.weights[found.labels == label].sum()) for label in range(CLASSES)]
    assert max(totals) - min(totals) < 1e-3


def test_a_lie_weighs_no_more_than_ten_rows() -> None:
    part = client(0, (20, 0, 0))
    weights = part.weights.clone()
    weights[7] = 1e30
    found, honest = merged([replace(part, weights=weights)]), merged([part])
    assert float((found.weights / honest.weights).max()) < 10


def test_memory_does_not_grow_with_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redistil, "FOLD", 3)
    most = 0

    def spy(sets: Sequence[SyntheticSet]) -> SyntheticSet:
        nonlocal most
        most = max(most, sum(map(len, sets)))
        return joined(sets)

    monkeypatch.setattr(redistil, "joined", spy)
    sizes = []
    for clients in (10, 30):
        makers = [lambda seed=seed: client(seed, (2, 2, 2)) for seed in range(clients)]
        found = merged(LazySets(makers), rows=4)
        assert torch.bincount(found.labels).tolist() == [4, 4, 4]
        sizes.append(most)
    assert sizes[0] == sizes[1] == CLASSES * (3 * 4 + 2)


def test_the_same_parts_and_stream_give_the_same_bits() -> None:
    parts = [client(seed, (10, 4, 9)) for seed in range(2)]
    first, second = merged(parts), merged([replace(part, meta={"x": "y"}) for part in parts])
    assert torch.equal(first.inputs, second.inputs)
    assert torch.equal(first.weights, second.weights)
