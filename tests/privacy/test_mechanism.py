import math

import numpy as np
import pytest
import torch
from torch import Tensor

from fdd_flower.errors import ConfigError
from fdd_flower.privacy.mechanism import Mechanism, clipped, share_of

GRIDS = (1, 7, 1000, 1024, 2**24)


def _silent(count: int, sigma: float) -> np.ndarray:
    return np.zeros(count, dtype=np.int64)


def _mechanism(grid: int) -> Mechanism:
    return Mechanism(grid, 32.0, _silent)


def _cases(count: int) -> list[Tensor]:
    """Return vectors of every size and kind, one record each."""
    rng = np.random.default_rng(0)
    found = []
    for index in range(count):
        vector = rng.standard_normal(int(rng.integers(1, 60)))
        vector *= rng.choice([0, 1e-320, 1e-160, 1e-3, 1, 1e3, 1e160, 1e300])
        vector[rng.random(len(vector)) < 0.3] = 0
        if index % 7 == 0:
            vector[rng.integers(len(vector))] = rng.choice([np.nan, np.inf, -np.inf, 1.7e308])
        if index % 5 == 0 and np.isfinite(vector).all() and vector.any():
            unit = vector / np.abs(vector).max()
            vector = unit / np.linalg.norm(unit)  # on the surface, up to rounding
        found.append(torch.from_numpy(vector)[None])
    return found


def test_one_record_moves_the_sum_by_at_most_the_grid():
    cases = _cases(1_000)
    for index, record in enumerate(cases):
        grid = GRIDS[index % len(GRIDS)]
        row = _mechanism(grid).whole(record)[0].tolist()
        assert sum(step * step for step in row) <= grid**2  # Python's integers: no rounding
        rest = torch.randn(5, record.shape[1], generator=torch.Generator().manual_seed(index))
        both = _mechanism(grid).whole(torch.cat([rest.double(), record])).sum(0)
        moved = (both - _mechanism(grid).whole(rest).sum(0)).tolist()
        assert moved == row  # a record's row does not depend on the others


def test_the_bound_is_reached():
    for grid in GRIDS[1:]:
        row = _mechanism(grid).whole(torch.tensor([[0.0, -5.0]]).double())
        assert row.tolist() == [[0, 1 - grid]]  # a hair below 1, rounded toward zero


def test_short_vectors_are_rounded_toward_zero_and_long_ones_scaled():
    vectors = torch.tensor([[0.299, -0.299], [3.0, -4.0], [0.0, 0.0]])
    assert _mechanism(10).whole(vectors).tolist() == [[2, -2], [5, -7], [0, 0]]
    assert torch.equal(clipped(vectors)[0], vectors[0].double())
    assert clipped(torch.tensor([[3e300, -4e300]], dtype=torch.float64))[
        0
    ].tolist() == pytest.approx([0.6, -0.8], rel=1e-8)


def test_a_record_that_is_not_finite_counts_for_nothing():
    vectors = torch.tensor([[math.nan, 0.5], [math.inf, 0.5], [0.5, 0.5]])
    assert _mechanism(10).whole(vectors).tolist() == [[0, 0], [0, 0], [5, 5]]


def test_a_release_adds_noise_of_sigma_times_the_grid():
    asked = []

    def count_up(count: int, sigma: float) -> np.ndarray:
        asked.append((count, sigma))
        return np.arange(count)

    total = torch.tensor([[5, -5], [2**60, 0]])
    released = Mechanism(1000, 0.5, count_up).release(total)
    assert asked == [(4, 500.0)]
    assert released.tolist() == [[5, -4], [2**60 + 2, 3]]


def test_the_real_noise_has_the_standard_deviation_that_is_accounted():
    released = Mechanism(100, 2.0).release(torch.zeros(20_000, dtype=torch.int64))
    assert released.double().std().item() == pytest.approx(200, rel=0.03)  # 6 standard errors
    assert abs(released.double().mean().item()) < 9


@pytest.mark.parametrize(("grid", "sigma"), [(0, 100.0), (2**24 + 1, 1.0), (10, 3.0), (64, 0.4)])
def test_a_grid_too_coarse_for_its_noise_is_refused(grid: int, sigma: float):
    with pytest.raises(ConfigError):
        Mechanism(grid, sigma)


@pytest.mark.parametrize(
    ("clients", "colluding", "dropouts"), [(10, 0, 0), (10, 3, 2), (3, 1, 1), (2, 0, 1)]
)
def test_the_honest_who_remain_make_the_whole_noise(clients: int, colluding: int, dropouts: int):
    own = share_of(3.731, clients, colluding, dropouts)
    assert own**2 * (clients - colluding - dropouts) >= 3.731**2
    assert own**2 * (clients - colluding - dropouts) == pytest.approx(3.731**2)


@pytest.mark.parametrize(
    ("clients", "colluding", "dropouts"), [(3, 2, 1), (1, 1, 0), (5, -1, 0), (0, 0, 0)]
)
def test_noise_that_may_be_missing_is_refused(clients: int, colluding: int, dropouts: int):
    with pytest.raises(ConfigError):
        share_of(1.0, clients, colluding, dropouts)
