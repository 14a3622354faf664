"""Whole numbers there and back, against Python's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fdd_flower.sketches.integers import (
    LIMIT,
    ONE,
    check_planes,
    from_planes,
    to_planes,
    whole,
    width_of,
)
from fdd_flower.wire.refusals import RefusedError


@pytest.mark.parametrize(
    ("values", "bits"),
    [
        ([0], 1),
        ([-1], 1),
        ([1], 2),
        ([-2, 1], 2),
        ([127], 8),
        ([-128], 8),
        ([128], 9),
        ([-129], 9),
        ([2**40], 42),
        ([-(2**51)], 52),
    ],
)
def test_the_width_is_that_of_twos_complement(values, bits):
    assert width_of(torch.tensor(values)) == bits
    shortest = next(
        n for n in range(1, 64) if all(-(2 ** (n - 1)) <= v < 2 ** (n - 1) for v in values)
    )
    assert bits == shortest


@pytest.mark.parametrize("bits", [1, 2, 15, 33, 53])
@pytest.mark.parametrize("shape", [(1,), (7,), (8,), (3, 5), (2, 4, 9)])
def test_numbers_come_back(bits, shape):
    rng = np.random.default_rng(bits)
    values = torch.from_numpy(rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), size=shape))
    planes = to_planes(values, bits)
    assert planes.shape == (bits, -(-values.numel() // 8))
    assert torch.equal(from_planes(planes, shape), values)


def test_unsigned_numbers_are_what_is_left_in_a_ring():
    values = torch.tensor([-1, -5, 3])
    assert from_planes(to_planes(values, 8), (3,), signed=False).tolist() == [255, 251, 3]


def test_real_numbers_become_steps_and_are_cut():
    found = whole(torch.tensor([0.0, 1.0, -0.5, 1 / 600, 1e9, -1e9]))
    assert found.tolist() == [0, ONE, -ONE // 2, 0, LIMIT, -LIMIT]
    assert found.dtype == torch.float64


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 2), np.int8),
        np.zeros((3, 3), np.uint8),
        np.zeros((0, 2), np.uint8),
        np.zeros((54, 2), np.uint8),
        np.zeros(6, np.uint8),
        np.zeros((3, 2, 1), np.uint8),
    ],
)
def test_planes_of_another_kind_are_refused(array):
    check_planes("x", np.zeros((3, 2), np.uint8), (9,))
    with pytest.raises(RefusedError):
        check_planes("x", array, (9,))
