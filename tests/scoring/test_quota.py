"""A quota of a class's claimed weight, against a search for the height."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fdd_flower.scoring import bound_shares
from fdd_flower.scoring.quota import bound_claims
from tests.scoring.scene import client


def searched(claims: torch.Tensor, share: float) -> torch.Tensor:
    """Return the claims under the largest height at which none has more than its share."""
    low, high = 0.0, float(claims.max())
    for _ in range(200):
        middle = (low + high) / 2
        cut = claims.clamp_max(middle)
        fits = float(cut.max()) <= share * float(cut.sum()) * (1 + 1e-12)
        low, high = (middle, high) if fits else (low, middle)
    return claims.clamp_max(low)


@pytest.mark.parametrize("quota", [1.0, 1.5, 2.0, 3.5])
@pytest.mark.parametrize("claims", [[5.0, 1e9, 7.0, 6.0], [1.0, 2.0, 4.0, 8.0, 16.0, 0.0]])
def test_claims_are_cut_as_little_as_will_do(claims: list[float], quota: float) -> None:
    given = torch.tensor(claims, dtype=torch.float64)
    found = bound_claims(given, quota)
    share = quota / int((given > 0).sum())
    assert float(found.max()) <= share * float(found.sum()) * (1 + 1e-9)
    if share < 1 and quota > 1:
        assert torch.allclose(found, searched(given, share), rtol=1e-6)


def test_a_loud_client_has_its_share_and_a_sole_holder_keeps_its_class() -> None:
    loud = client(0, held=(0, 1))
    loud = replace(loud, weights=torch.full_like(loud.weights, 1e9))
    parts = [loud, client(1, held=(0,)), client(2, held=(0,))]
    found = bound_shares(parts, 1.0, owners="abc")
    of_class = [float(part.weights[part.labels == 0].sum()) for part in found]
    assert of_class == pytest.approx([6.0, 6.0, 6.0])
    assert found[0].weights[found[0].labels == 1].tolist() == [1e9] * 6
    assert bound_shares(parts, 0.0, owners="abc") == parts


def test_several_sets_of_one_client_share_its_quota() -> None:
    parts = [client(seed, held=(0,)) for seed in range(4)]
    found = bound_shares(parts, 1.0, owners="aaab")
    of_set = [float(part.weights.sum()) for part in found]
    assert sum(of_set[:3]) == pytest.approx(of_set[3])
    assert of_set[0] == pytest.approx(of_set[1])
