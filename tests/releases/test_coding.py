"""What a release has room for, and what is said where it has too little."""

from __future__ import annotations

import math
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from fdd_flower.config import from_run_config
from fdd_flower.errors import ConfigError
from fdd_flower.privacy.sampler import largest
from fdd_flower.releases import coding
from fdd_flower.releases.base import RELEASES, Release
from fdd_flower.releases.coding import (
    BITS,
    Coding,
    beyond,
    coarse,
    held,
    near_end,
    pack,
    planes_of,
    unpack,
)
from fdd_flower.releases.terms import spend_of
from tests.methods.test_private import BASE, run
from tests.releases.test_sensitivity import SMALL, plan_of


@cache
def release_of(mode: str) -> Release:
    cfg = from_run_config({"privacy.mode": mode, **SMALL})
    return RELEASES.get(mode)(cfg, plan_of((5,)))


def coding_of(mode: str, epsilon: float, most: int) -> tuple[Coding, float]:
    """Return coding and sigma of a run."""
    settings = {"privacy.mode": mode, "privacy.epsilon": epsilon, "privacy.most-records": most}
    release = release_of(mode)
    release.cfg = from_run_config(settings | SMALL)
    sigma = spend_of(release.cfg).sigma
    return release.coding(sigma), sigma


@pytest.mark.parametrize("mode", RELEASES.names())
def test_as_many_records_as_the_setting_says_fit(mode: str) -> None:
    unit = release_of(mode).unit
    for epsilon, most in product((0.5, 10.0, 100.0), (1_000, 100_000, 1_000_000)):
        how, _ = coding_of(mode, epsilon, most)
        assert BITS <= how.bits <= 28
        # the worst: all records are alike, and all of their norm is in one number
        total = torch.tensor([most, -most, 0, 1]) * unit
        assert not beyond(total, how)
        assert torch.equal(held(total, how), total)
        noisy = total + torch.tensor([how.room, -how.room, 0, 1])
        values = coarse(noisy, how.shift)
        assert torch.equal(unpack(planes_of(pack(values, how.bits).tobytes(), how.bits), 4), values)
        assert ((values << how.shift) - noisy).abs().max() <= 1 << how.shift


@pytest.mark.parametrize("mode", RELEASES.names())
@pytest.mark.parametrize("strangers", [0, 1, 99, 9_999])
def test_noise_is_never_cut_off(mode: str, strangers: int) -> None:
    """However large the sum, and at the largest noise that can be drawn."""
    release = release_of(mode)
    for epsilon in (0.5, 10.0, 100.0):
        sigma = coding_of(mode, epsilon, 1)[1]
        own = sigma * math.sqrt(1 + strangers)
        how = release.coding(sigma, own)
        total = torch.full((release.size,), 2**50)
        total[::2] *= -1
        total[::7] //= 2**40
        noises = Extreme()
        values = release.sent(total, own, how, noises)
        assert values.abs().max() <= how.end
        assert torch.equal(unpack(pack(values, how.bits), release.size), values)
        left = (values << how.shift) - held(total, how)
        assert (left - noises.drawn(release)).abs().max() <= 1 << how.shift
        cut = total.abs() > how.limit
        assert beyond(total, how) == near_end(values, how) == cut.sum() > 0


class Extreme:
    """Draws the largest noise that there is, and its negative, in turn."""

    def __init__(self) -> None:
        self.each = list[np.ndarray]()

    def __call__(self, count: int, sigma: float) -> np.ndarray:
        found = largest(sigma) * (-1) ** np.arange(count)
        self.each.append(found)
        return found

    def drawn(self, release: Release) -> torch.Tensor:
        """Return what was drawn for each number of one release."""
        spread = release.spread.expand(release.size)
        found = torch.zeros(release.size, dtype=torch.int64)
        for value, drawn in zip(spread.unique().tolist(), self.each, strict=True):
            found[spread == value] = torch.from_numpy(drawn)
        return found


def test_cutting_off_moves_no_two_sums_further_apart() -> None:
    how = Coding(4, 8, 500)
    assert (how.end, how.limit) == (127, 127 * 16 - 500)
    rng = torch.Generator().manual_seed(0)
    one = torch.randint(-4000, 4000, (10_000,), generator=rng)
    two = one + torch.randint(-300, 300, one.shape, generator=rng)
    assert ((held(one, how) - held(two, how)).abs() <= (one - two).abs()).all()
    assert held(one, how).abs().max() == how.limit
    inside = one.abs() <= how.limit
    assert torch.equal(held(one, how)[inside], one[inside])


def test_what_clients_round_off_tells_nothing_beside_their_total() -> None:
    """Two clients, noise of 8 steps: given the total, what one rounds off is uniform."""
    step, sigma = 8, 64.0
    drawn = np.arange(-40 * 64, 40 * 64 + 1)
    weights = np.exp(-(drawn**2) / (2 * sigma**2))
    weights /= weights.sum()
    for records in (0, 3, 1001):  # of the first client
        for total in (0, 17, 500):
            # the first one's number is what it is, and the second one's the rest
            first = drawn + records
            other = np.exp(-((total - first) ** 2) / (2 * sigma**2))
            off = np.bincount((first + step // 2) % step, weights * other)
            np.testing.assert_allclose(off / off.sum(), 1 / step, rtol=1e-12)


@pytest.mark.parametrize("mode", RELEASES.names())
def test_what_fitted_before_takes_as_many_bytes(mode: str) -> None:
    assert coding_of(mode, 1.0, 100_000)[0].bits == BITS


def test_more_than_any_number_holds_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"privacy\.most-records: expected few enough"):
        coding_of("dp-moments", 1000.0, 10_000_000)


def test_the_server_says_whose_numbers_are_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # as if there were a thousand times as many records
    monkeypatch.setattr(coding, "BITS", 8)
    few = {"privacy.epsilon": 100.0, "privacy.most-records": 1}
    run(tmp_path / "little", BASE | few, grid={"clients": 2})
    assert "numbers of the release of 0 are cut off" in caplog.text
    assert "client 0: " in caplog.text
    assert "privacy.most-records=1 is too few" in caplog.text
    caplog.clear()
    run(tmp_path / "room", BASE | few | {"privacy.most-records": 200}, grid={"clients": 2})
    assert "cut off" not in caplog.text
