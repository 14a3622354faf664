"""A matrix in 15 bits a value: how near it comes back, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fdd_flower.sketches import _scatter
from fdd_flower.wire.refusals import RefusedError


def scatter(n: int, d: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    spread = 1000 * np.exp(-np.arange(d) / 10)
    rows = (rng.normal(size=(n, d)) * spread) @ np.linalg.qr(rng.normal(size=(d, d)))[0]
    return rows.T @ rows


@pytest.mark.parametrize(("n", "d"), [(200, 60), (5, 60), (40, 3), (1, 20)])
def test_each_value_is_off_by_half_a_step_at_most(n, d):
    matrix = scatter(n, d)
    packed = _scatter.pack(torch.from_numpy(matrix))
    found = _scatter.unpack(packed, d).numpy()
    main = packed["main"].astype(np.float64)
    left = np.clip(np.diag(matrix - main.T @ main), 0, None)
    step = np.sqrt(np.outer(left, left)) / _scatter.TOP
    assert (np.abs(found - matrix) <= 0.51 * step + 1e-6 * np.abs(matrix).max()).all()
    assert np.linalg.norm(found - matrix) <= 2e-5 * np.linalg.norm(matrix)


def test_far_nearer_than_half_floats_of_the_same_size():
    matrix = scatter(500, 100)
    found = _scatter.unpack(_scatter.pack(torch.from_numpy(matrix)), 100).numpy()
    top = np.abs(matrix).max()
    halves = (matrix / top).astype(np.float16).astype(np.float64) * top
    assert np.linalg.norm(found - matrix) < np.linalg.norm(halves - matrix) / 20


def test_what_is_left_has_no_negative_direction():
    matrix = scatter(200, 60)
    main = _scatter.main_part(torch.from_numpy(matrix)).double().numpy()
    values = np.linalg.eigvalsh(matrix - main.T @ main)
    assert values.min() > -1e-6 * np.linalg.eigvalsh(matrix).max()
    assert values.max() < 2 * np.sort(np.linalg.eigvalsh(matrix))[-17]


def test_a_matrix_of_zeros_and_the_same_bytes_twice():
    packed = _scatter.pack(torch.zeros(20, 20, dtype=torch.float64))
    assert torch.equal(_scatter.unpack(packed, 20), torch.zeros(20, 20, dtype=torch.float64))
    again = (_scatter.pack(torch.from_numpy(scatter(50, 20))) for _ in range(2))
    one, two = ({name: array.tobytes() for name, array in p.items()} for p in again)
    assert one == two
    sizes = sum(array.nbytes for array in packed.values())
    assert sizes == _scatter.size(20)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("main", lambda a: a.astype(np.float64)),
        ("main", lambda a: a[:-1]),
        ("main", lambda a: a * np.nan),
        ("main", lambda a: np.full_like(a, 1e20)),
        ("scale", lambda a: a[:, None]),
        ("scale", lambda a: a + np.inf),
        ("rest", lambda a: a[:-1]),
        ("rest", lambda a: a.astype(np.int16)),
    ],
)
def test_arrays_of_another_kind_are_refused(name, change):
    packed = _scatter.pack(torch.from_numpy(scatter(50, 20)))
    _scatter.check(packed, 20, 1e12)
    with pytest.raises(RefusedError):
        _scatter.check(packed | {name: change(packed[name])}, 20, 1e12)
