"""Named streams: fixed for ever, apart from each other, apart from the global generators."""

import hashlib

import numpy as np
import pytest
import torch

from fdd_flower.rng import derive, fork, numpy_stream, stream


@pytest.mark.parametrize(
    ("seed", "names", "text"),
    [(0, (), "0"), (7, ("client", 3, 1), "7/client/3/1"), (2**31 - 1, ("a",), "2147483647/a")],
)
def test_a_seed_is_the_first_63_bits_of_sha256(
    seed: int, names: tuple[object, ...], text: str
) -> None:
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert derive(seed, *names) == int(digest[:16], 16) // 2


def test_seeds_depend_on_every_name_and_their_order() -> None:
    seeds = [
        derive(seed, *names)
        for seed in range(10)
        for names in [(), ("a",), ("b",), ("a", "b"), ("b", "a"), ("a", 1), ("a", 11), ("a", 1, 1)]
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_stream_repeats_and_differs_from_others() -> None:
    first, again, other = (
        torch.rand(100, generator=stream(0, *names)) for names in [("x",), ("x",), ("y",)]
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_numpy_stream_repeats_and_differs_from_others() -> None:
    first, again, other = (numpy_stream(0, *n).random(100) for n in [("x",), ("x",), ("y",)])
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_streams_leave_the_global_generators_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state(), np.random.get_state(legacy=False)
    torch.rand(3, generator=stream(5, "x"))
    numpy_stream(5, "x").random(3)
    fork(stream(5, "x"))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert str(np.random.get_state(legacy=False)) == str(before[1])


def test_forks_are_seeds_that_libraries_take_and_move_on() -> None:
    generator = stream(0, "x")
    seeds = [fork(generator) for _ in range(100)]
    assert len(set(seeds)) == 100
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert seeds[0] == fork(stream(0, "x"))
