"""Class means under noise: nearer to the common one where they tell nothing of the class."""

from __future__ import annotations

import torch

from fdd_flower.releases.dp_moments import nearer

PORTION = torch.tensor([0.5, 0.3, 0.2, 0.0], dtype=torch.float64)


def drawn(
    spread: float, noise: float, *, features: int = 4000
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return true means of four classes and what is seen of them, (4, features) each."""
    rng = torch.Generator().manual_seed(0)
    true = spread * torch.randn(4, features, generator=rng, dtype=torch.float64)
    seen = true + noise * torch.randn(4, features, generator=rng, dtype=torch.float64)
    return true, seen


def test_without_noise_they_stay():
    _, seen = drawn(1.0, 0.0)
    torch.testing.assert_close(nearer(seen, PORTION, torch.zeros(4).double()), seen)


def test_what_is_noise_alone_is_halved_and_a_feature_that_tells_stays():
    _, seen = drawn(0.0, 1.0)
    seen[0, 0] += 100
    apart = nearer(seen, PORTION, torch.ones(4).double()) - PORTION @ seen
    kept = apart / (seen - PORTION @ seen)
    assert 0.99 < float(kept[0, 0]) <= 1
    # the common mean holds some of the noise, so less than a half is left
    assert 0.2 < float(kept[0, 1:].median()) < 0.5


def test_they_come_nearer_to_the_true_ones_where_noise_is_as_large_as_what_they_differ_by():
    true, seen = drawn(1.0, 1.0)
    held = PORTION > 0
    before = (seen - true)[held].square().mean()
    after = (nearer(seen, PORTION, torch.ones(4).double()) - true)[held].square().mean()
    assert after < 0.8 * before


def test_equal_features_stay_equal():
    seen = torch.ones(4, 3, dtype=torch.float64)
    torch.testing.assert_close(nearer(seen, PORTION, torch.zeros(4).double()), seen)
