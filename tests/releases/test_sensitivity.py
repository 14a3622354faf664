"""What one record moves before there is noise: whole numbers, against the metric of the noise."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor

from fdd_flower.config import from_run_config
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import Plan
from fdd_flower.releases.base import RELEASES, Release
from fdd_flower.releases.dp_moments import Moments
from fdd_flower.schema import Normalisation

CLASSES = ("a", "b", "c", "d")
SHAPES = {
    "grey": (1, 12, 12), "colour": (3, 12, 12), "series": (3, 40), "vector": (30,),
    "one number": (1,),
}  # fmt: skip
CASES = 200  # of each shape: 1,000 of each mode
BESIDE = 6  # of each shape, each beside others
SMALL = {"distiller.networks": 2, "distiller.width": 4, "sketch.width": 2}
WHOLE = 25  # times a squared noise is a whole number in every mode


def plan_of(shape: tuple[int, ...]) -> Plan:
    c = shape[0]
    return Plan(
        round=1,
        seed=7,
        nonce="0123456789abcdef",
        classes=CLASSES,
        feature_shape=shape,
        normalisation=Normalisation(mean=(0.5,) * c, std=(0.25,) * c),
    )


def release_of(mode: str, shape: tuple[int, ...]) -> Release:
    cfg = from_run_config({"privacy.mode": mode, **SMALL})
    return RELEASES.get(mode)(cfg, plan_of(shape))


def records(shape: tuple[int, ...], count: int, seed: int) -> Tensor:
    """Return records of every size and kind: zero, tiny, huge, sparse, constant, not finite."""
    rng = np.random.default_rng(seed)
    found = rng.standard_normal((count, *shape))
    for index, record in enumerate(found):
        record *= rng.choice([0, 1e-40, 1e-20, 1e-3, 1, 1, 1, 30, 1e10, 1e25, 3e38])
        record[rng.random(shape) < rng.choice([0, 0.5, 0.99])] = 0
        if index % 9 == 0:
            record[...] = rng.choice([1.0, -2.0, 1e30])
        if index % 7 == 0:
            place = tuple(rng.integers(shape))
            record[place] = rng.choice([np.nan, np.inf, -np.inf, 3.4e38])
    with np.errstate(over="ignore"):
        return torch.from_numpy(found.astype(np.float32))


def split(inputs: Tensor, labels: Tensor) -> Split:
    return Split(inputs=inputs, labels=labels, classes=CLASSES)


def per_noise(release: Release) -> list[int]:
    """Return the squared noise of a unit over each number's, times `WHOLE`: exactly."""
    spread = release.spread.expand(release.size).tolist()
    for value in set(spread):
        whole = round(WHOLE / value**2)
        assert abs(WHOLE / Fraction(value) ** 2 - whole) < Fraction(whole, 10**12)
    return [round(WHOLE / value**2) for value in spread]


def squares(release: Release, found: Tensor) -> list[int]:
    """Return the squared norms of what records add, (n, block + shared), in the metric of noise.

    Times `WHOLE`, and exactly: doubles rule out that 64 bits are too few.
    """
    weights = per_noise(release)
    its = torch.tensor([*weights[: release.block], *weights[len(CLASSES) * release.block :]])
    assert ((found.double().square() * its).sum(dim=1) < 2.0**62).all()
    return (found.square() * its).sum(dim=1).tolist()


@pytest.mark.parametrize("mode", RELEASES.names())
def test_what_a_record_adds_is_at_most_the_unit(mode: str) -> None:
    largest = 0
    for place, shape in enumerate(SHAPES.values()):
        release = release_of(mode, shape)
        with torch.no_grad():
            found = squares(release, release.each(records(shape, CASES, seed=place), 1))
        assert len(found) == CASES
        assert max(found) <= WHOLE * release.unit**2
        largest = max(largest, max(found) / (WHOLE * release.unit**2))
    assert largest > 0.9  # the bound is near: records are not moved too little


@pytest.mark.parametrize("mode", RELEASES.names())
def test_whatever_networks_say_of_it(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    release = release_of(mode, SHAPES["vector"])
    width = release.width if isinstance(release, Moments) else release.block
    told = records((width,), 5 * CASES, seed=9)
    lengths = told.double().norm(dim=1)
    kinds = [lengths == 0, lengths > 1e20, ~lengths.isfinite(), (lengths > 0) & (lengths < 1e-10)]
    assert all(int(kind.sum()) > 20 for kind in kinds)
    monkeypatch.setattr(release, "vectors", lambda inputs: told[inputs.long()])
    for most in (1, 3):
        found = squares(release, release.each(torch.arange(len(told)), most))
        assert max(found) <= WHOLE * release.unit**2 / most**2
        assert max(found) > 0.9 * WHOLE * release.unit**2 / most**2


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("mode", RELEASES.names())
def test_one_more_record_moves_its_own_class_alone_by_what_it_adds(
    mode: str, shape: tuple[int, ...]
) -> None:
    release, rng = release_of(mode, shape), np.random.default_rng(3)
    others = records(shape, 12, seed=1)
    labels = torch.from_numpy(rng.integers(0, len(CLASSES), 12))
    before = release.sum(split(others, labels))
    assert before.dtype == torch.int64
    chosen = records(shape, BESIDE, seed=2)
    with torch.no_grad():
        added = release.each(chosen, 1)
    for record, its_own in zip(chosen, added, strict=True):
        at, label = int(rng.integers(0, 13)), int(rng.integers(0, len(CLASSES)))
        more = torch.cat([others[:at], record[None], others[at:]])
        its = torch.cat([labels[:at], torch.tensor([label]), labels[at:]])
        change = release.sum(split(more, its)) - before
        blocks = release.blocks(change)
        assert not blocks[torch.arange(len(CLASSES)) != label].any()
        assert torch.equal(torch.cat([blocks[label], change[blocks.numel() :]]), its_own)


@pytest.mark.parametrize("mode", RELEASES.names())
def test_a_sum_is_that_of_its_records_in_any_order_and_number(mode: str) -> None:
    release, inputs = release_of(mode, (1, 28, 28)), records((1, 28, 28), 70, seed=5)
    labels = torch.arange(70) % 3  # the last class has none
    whole = release.sum(split(inputs, labels))
    order = torch.randperm(70, generator=torch.Generator().manual_seed(0))
    assert torch.equal(release.sum(split(inputs[order], labels[order])), whole)
    one_by_one = torch.zeros_like(whole)
    for record, label in zip(inputs, labels, strict=True):
        one_by_one += release.sum(split(record[None], label[None]))
    assert torch.equal(one_by_one, whole)
    assert torch.equal(release.each(inputs, 2).sum(dim=0), release.whole_sum(inputs, 2))
    assert not release.blocks(whole)[3].any()


@pytest.mark.parametrize("mode", RELEASES.names())
def test_noise_is_as_wide_as_its_spread_says(mode: str) -> None:
    release = release_of(mode, SHAPES["series"])
    asked: list[tuple[int, float]] = []

    def counting(count: int, sigma: float) -> np.ndarray:
        asked.append((count, sigma))
        return np.full(count, round(sigma), dtype=np.int64)

    total = torch.arange(release.size)
    noisy = release.noisy(total, 2.0, counting)
    assert sum(count for count, _ in asked) == release.size
    expected = (2.0 * release.unit * release.spread.expand(release.size)).round().long()
    assert torch.equal(noisy - total, expected)
    assert torch.equal(total, torch.arange(release.size))  # the sum itself is left alone
