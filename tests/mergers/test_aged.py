"""Older parts weigh less by the whole of their factor, whatever bounds claims."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fdd_flower.config import MergerConfig
from fdd_flower.mergers import _tree
from fdd_flower.mergers.base import MERGERS, AgedSets
from fdd_flower.synthetic_set import SyntheticSet
from tests.mergers.test_mergers_contract import part, stream

FACTORS = [1.0, 0.05, 0.002]


def aged(parts: list[SyntheticSet], factors: list[float]) -> AgedSets:
    pairs = zip(parts, factors, strict=True)
    return AgedSets([replace(p, weights=p.weights * factor) for p, factor in pairs], factors)


@pytest.mark.parametrize("name", MERGERS.built_in())
def test_rows_of_an_older_part_weigh_less_by_its_factor(name: str) -> None:
    rule = MERGERS.get(name)(MergerConfig(name=name))
    parts = [part((13,), 6, seed, classes=1) for seed in range(3)]
    new = rule.merge(parts, rng=stream())
    old = rule.merge(aged(parts, FACTORS), rng=stream())
    assert new.origin is not None
    ratio = old.weights / new.weights
    expected = torch.tensor(FACTORS)[new.origin]
    torch.testing.assert_close(ratio / ratio[0], expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize("clients", [6, 30])
def test_distilled_rows_weigh_less_by_the_age_of_what_they_stand_for(
    clients: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_tree, "FOLD", 3)
    parts = []
    for seed in range(clients):
        one = part((1, 8, 8), 4, seed, classes=1)
        near = 0.1 * one.inputs.mean(dim=(1, 2, 3), keepdim=True) * torch.ones(1, 1, 8, 8)
        shift = 1.0 if seed < clients // 2 else -1.0
        parts.append(replace(one, inputs=near + shift, weights=torch.ones(4)))
    factors = [1.0 if seed < clients // 2 else 0.01 for seed in range(clients)]
    rule = MERGERS.get("redistil")(MergerConfig(name="redistil", rows=8, steps=3))
    found = rule.merge(aged(parts, factors), rng=stream())
    late = found.inputs.flatten(1).mean(dim=1) < 0
    assert 0 < int(late.sum()) < 8
    share = found.weights[late].sum() / found.weights[~late].sum()
    torch.testing.assert_close(share, torch.tensor(0.01), rtol=0.2, atol=0)


def test_a_slice_keeps_its_factors() -> None:
    some = aged([part((13,), 2, seed) for seed in range(3)], FACTORS)[1:]
    assert some.factors == FACTORS[1:]
    assert torch.equal(some[0].weights, part((13,), 2, 1).weights * 0.05)
