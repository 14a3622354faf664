"""A bounded merged set: how many rows, and whose mean they have."""

import pytest
import torch

from fdd_flower.config import MergerConfig
from fdd_flower.mergers import _tree
from fdd_flower.mergers.herded import Herded
from fdd_flower.synthetic_set import LazySets, SyntheticSet
from tests.mergers.test_mergers_contract import stream

CLASSES = 3


def client(seed: int, counts: tuple[int, ...]) -> SyntheticSet:
    labels = torch.arange(CLASSES).repeat_interleave(torch.tensor(counts))
    rng = torch.Generator().manual_seed(seed)
    return SyntheticSet(
        inputs=torch.randn(len(labels), 8, generator=rng) + labels[:, None].float() + 0.5 * seed,
        targets=torch.eye(CLASSES)[labels],
        weights=torch.full((len(labels),), 10.0 + seed),
    )


PARTS = [client(0, (40, 2, 9)), client(1, (30, 0, 9))]


def merged(rows: int) -> SyntheticSet:
    return Herded(MergerConfig(name="herded", rows=rows)).merge(PARTS, rng=stream())


def test_no_class_has_more_rows_than_asked_for_and_all_are_whole_rows() -> None:
    found = merged(12)
    assert torch.bincount(found.labels).tolist() == [12, 2, 12]
    assert found.origin is not None
    for inputs, target, origin in zip(found.inputs, found.targets, found.origin, strict=True):
        same = (PARTS[int(origin)].inputs == inputs).all(dim=1)
        assert int(same.sum()) == 1
        assert torch.equal(PARTS[int(origin)].targets[same][0], target)


def test_classes_still_weigh_the_same() -> None:
    found = merged(12)
    totals = [float(found.weights[found.labels == label].sum()) for label in range(CLASSES)]
    assert max(totals) - min(totals) < 1e-3


def test_the_mean_of_the_picked_is_nearer_than_that_of_random_rows() -> None:
    rows = torch.cat([p.inputs[p.labels == 0] for p in PARTS])
    found = merged(12)
    away = (found.inputs[found.labels == 0].mean(dim=0) - rows.mean(dim=0)).norm()
    rng = torch.Generator().manual_seed(0)
    random = [
        (rows[torch.randperm(len(rows), generator=rng)[:12]].mean(dim=0) - rows.mean(dim=0)).norm()
        for _ in range(200)
    ]
    assert float(away) < float(torch.stack(random).quantile(0.1))


def test_early_clients_count_as_late_ones_do_and_few_rows_are_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_tree, "FOLD", 4)
    most, joined = 0, _tree.joined

    def spy(sets: list[SyntheticSet]) -> SyntheticSet:
        nonlocal most
        most = max(most, sum(map(len, sets)))
        return joined(sets)

    monkeypatch.setattr(_tree, "joined", spy)
    sent: dict[int, SyntheticSet] = {}

    def part(place: int) -> SyntheticSet:
        sent[place] = client(place % 2 + 4 * (place > 50), (5, 1, 0))  # late ones are elsewhere
        return sent[place]

    parts = LazySets([lambda place=place: part(place) for place in range(100)])
    found = Herded(MergerConfig(name="herded", rows=8)).merge(parts, rng=stream())
    assert torch.bincount(found.labels).tolist() == [8, 8]
    assert most <= 2 * (4 * 8 + 5)
    assert found.origin is not None
    for inputs, origin in zip(found.inputs, found.origin.tolist(), strict=True):
        assert int((sent[origin].inputs == inputs).all(dim=1).sum()) == 1
    for label in (0, 1):
        late = found.origin[found.labels == label] > 50
        assert 3 <= int(late.sum()) <= 5
