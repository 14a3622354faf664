"""What a release has room for, and what is said where it has too little."""

from __future__ import annotations

from functools import cache
from itertools import product
from pathlib import Path

import pytest
import torch

from fdd_flower.config import from_run_config
from fdd_flower.errors import ConfigError
from fdd_flower.releases import coding
from fdd_flower.releases.base import RELEASES, Release
from fdd_flower.releases.coding import BITS, coarse, cut_off, pack, planes_of, unpack
from fdd_flower.releases.terms import spend_of
from tests.methods.test_private import BASE, run
from tests.releases.test_sensitivity import SMALL, plan_of


@cache
def release_of(mode: str) -> Release:
    cfg = from_run_config({"privacy.mode": mode, **SMALL})
    return RELEASES.get(mode)(cfg, plan_of((5,)))


def coding_of(mode: str, epsilon: float, most: int) -> tuple[int, int, float]:
    """Return shift, bits and sigma of a run."""
    settings = {"privacy.mode": mode, "privacy.epsilon": epsilon, "privacy.most-records": most}
    release = release_of(mode)
    release.cfg = from_run_config(settings | SMALL)
    sigma = spend_of(release.cfg).sigma
    return *release.coding(sigma), sigma


@pytest.mark.parametrize("mode", RELEASES.names())
def test_as_many_records_as_the_setting_says_fit(mode: str) -> None:
    unit = release_of(mode).unit
    for epsilon, most in product((0.5, 10.0, 100.0), (1_000, 100_000, 1_000_000)):
        shift, bits, sigma = coding_of(mode, epsilon, most)
        assert BITS <= bits <= 28
        # the worst: all records are alike, and all of their norm is in one number
        noisy = most * unit + int(32 * sigma * unit)
        total = torch.tensor([noisy, -noisy, 0, unit])
        values = coarse(total, shift, bits)
        assert not cut_off(values, bits)
        assert torch.equal(unpack(planes_of(pack(values, bits).tobytes(), bits), 4), values)
        assert ((values << shift) - total).abs().max() <= 1 << shift


@pytest.mark.parametrize("mode", RELEASES.names())
def test_what_fitted_before_takes_as_many_bytes(mode: str) -> None:
    assert coding_of(mode, 1.0, 100_000)[1] == BITS


def test_more_than_any_number_holds_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"privacy\.most-records: expected few enough"):
        coding_of("dp-moments", 1000.0, 10_000_000)


def test_the_server_says_whose_numbers_are_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # as if there were a thousand times as many records
    monkeypatch.setattr(coding, "BITS", 8)
    monkeypatch.setattr(coding, "NOISE", 1)
    few = {"privacy.epsilon": 100.0, "privacy.most-records": 1}
    run(tmp_path / "little", BASE | few, grid={"clients": 2})
    assert "numbers of the release of 0 are cut off" in caplog.text
    assert "client 0: " in caplog.text
    assert "privacy.most-records=1 is too few" in caplog.text
    caplog.clear()
    run(tmp_path / "room", BASE | few | {"privacy.most-records": 200}, grid={"clients": 2})
    assert "cut off" not in caplog.text
