"""A bounded set that the server distils itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fdd_flower.config import MergerConfig
from fdd_flower.mergers import _tree
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
        inputs=0.3 * noise + 2 * labels[:, None, None, None],
        targets=targets,
        weights=torch.full((len(labels),), 10.0 + seed),
    )


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


@pytest.mark.parametrize("claim", [10.0, 3e38])
def test_the_largest_claims_weigh_as_others_do(claim: float) -> None:
    part = client(0, (20, 0, 0))
    found = merged([replace(part, weights=torch.full((20,), claim))])
    torch.testing.assert_close(found.weights.mean(), torch.tensor(1.0))


@pytest.mark.parametrize("clients", [9, 20, 70])
def test_early_clients_count_as_late_ones_do(clients: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tree, "FOLD", 3)
    parts = [client(seed, (4, 2, 0), soft=True) for seed in range(clients)]
    # each half has records, and targets, that the other has not
    parts = [
        replace(
            part,
            inputs=part.inputs + (1 if early else -1),
            weights=torch.ones(len(part)),
            targets=part.targets if early else torch.eye(CLASSES)[part.labels],
        )
        for part, early in ((part, at < clients / 2) for at, part in enumerate(parts))
    ]
    found = merged(parts)
    for label in (0, 1):
        new, shares = found.labels == label, found.weights[found.labels == label, None]
        for name in ("inputs", "targets"):
            came = torch.cat([getattr(part, name)[part.labels == label] for part in parts])
            left = (shares * getattr(found, name)[new].flatten(1)).sum(dim=0) / shares.sum()
            assert abs(float((left - came.flatten(1).mean(dim=0)).mean())) < 0.1
            assert float((left - came.flatten(1).mean(dim=0)).square().mean().sqrt()) < 0.2


def test_a_lie_among_many_clients_weighs_no_more_than_ten_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_tree, "FOLD", 3)
    parts = [client(seed, (6, 0, 0)) for seed in range(12)]
    liar = [replace(part, weights=part.weights * 1e20) for part in parts[:3]]  # a whole leaf of it
    honest, found = merged(parts), merged([*liar, *parts[3:]])
    assert float((found.weights / honest.weights).max()) < 10


def test_the_same_parts_and_stream_give_the_same_bits() -> None:
    parts = [client(seed, (10, 4, 9)) for seed in range(2)]
    first, second = merged(parts), merged([replace(part, meta={"x": "y"}) for part in parts])
    assert torch.equal(first.inputs, second.inputs)
    assert torch.equal(first.weights, second.weights)
