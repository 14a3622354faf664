"""Whose releases are added, against a search over all groups of clients."""

from __future__ import annotations

from itertools import combinations

import torch

from fdd_flower.releases.base import worth_adding


def _best(counts: torch.Tensor) -> float:
    every = range(len(counts))
    groups = [g for size in range(1, len(counts) + 1) for g in combinations(every, size)]
    return max(float(counts[list(g)].sum()) / len(g) ** 0.5 for g in groups)


def test_no_group_of_clients_has_a_sum_larger_over_its_noise():
    for seed in range(50):
        counts = 100 * torch.randn(6, 4, generator=torch.Generator().manual_seed(seed)).double()
        for label, added in enumerate(worth_adding(counts).T):
            own = counts[:, label]
            assert float(own[added].sum()) / int(added.sum()) ** 0.5 == _best(own)


def test_clients_of_one_class_each_are_added_for_it_alone():
    noise = torch.randn(10, 10, generator=torch.Generator().manual_seed(0)).double()
    assert torch.equal(worth_adding(6000 * torch.eye(10) + 40 * noise), torch.eye(10).bool())


def test_clients_that_are_alike_and_one_client_are_added_as_a_whole():
    noise = torch.randn(10, 10, generator=torch.Generator().manual_seed(0)).double()
    assert worth_adding(600 + 40 * noise).all()
    assert worth_adding(noise[:1]).all()
