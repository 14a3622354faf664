"""Filling a byte budget: fewer and finer images, or more and coarser ones."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fdd_flower.config import CodecConfig, DistillerConfig
from fdd_flower.data.base import Split
from fdd_flower.distillers._clock import Clock
from fdd_flower.distillers._fill import most_rows
from fdd_flower.distillers._trade import best_codec, energy_distance
from fdd_flower.distillers.base import DISTILLERS, usable_classes
from fdd_flower.wire.codecs._images import ImageCodec
from fdd_flower.wire.codecs.base import CODECS, array_bytes
from tests.conftest import plan_for


@pytest.mark.parametrize("each", [1, 7, 1000])
@pytest.mark.parametrize("head", [0, 500])
@pytest.mark.parametrize("target", [0, 499, 5000, 50_000])
def test_the_most_rows_are_found_in_few_looks(each, head, target):
    looks = []

    def size(rows: int) -> int:
        looks.append(rows)
        return head + each * rows

    found = most_rows(size, most=10_000, target=target)
    best = max(0, min(10_000, (target - head) // each))
    assert found <= best <= max(found + 1, 1.03 * found)
    assert len(looks) <= 16


def test_more_points_and_the_right_points_are_nearer():
    rng = torch.Generator().manual_seed(0)
    real, same = torch.randn(2, 300, 5, generator=rng)
    few = energy_distance(real, same[:5], count=5)
    many = energy_distance(real, same, count=300)
    other = energy_distance(real, 0.5 * same, count=300)
    assert abs(many) < other
    assert many < few
    assert energy_distance(real, same[:50], count=50) > energy_distance(real, same[:50], count=500)


def waves(side: int, *, fine: bool, classes: int = 2, rows: int = 60) -> Split:
    """Return images of long waves, with or without detail of single pixels."""
    rng = torch.Generator().manual_seed(0)
    x, y = torch.meshgrid(*[torch.linspace(0, 3, side)] * 2, indexing="ij")
    turns = torch.randn(classes * rows, 3, 1, 1, generator=rng)
    inputs = torch.sin(turns[:, 0] * x + turns[:, 1] * y + 3 * turns[:, 2])[:, None]
    if fine:
        signs = torch.randint(0, 2, inputs.shape, generator=rng) * 2 - 1
        inputs = 0.3 * inputs + signs
    labels = torch.arange(classes).repeat_interleave(rows)
    names = tuple("abc"[:classes])
    return Split(inputs=inputs.contiguous(), labels=labels, classes=names)


def chosen(
    data: Split, budget: int, *, seconds: float = 3600.0, codec: str = "avif"
) -> CodecConfig:
    cfg = DistillerConfig(bytes=budget, min_records=2, ipc=1000, width=8)
    plan = replace(plan_for(data), codec=CODECS.get(codec)(CodecConfig(name=codec)))
    parts, _ = usable_classes(data, cfg)
    found = best_codec(parts, cfg, plan, seed=0, clock=Clock(seconds))
    return found.cfg if isinstance(found, ImageCodec) else CodecConfig(name=codec)


def test_images_without_detail_are_sent_smaller_and_others_are_not():
    smooth = chosen(waves(48, fine=False), 1500)
    rough = chosen(waves(48, fine=True), 20_000)
    assert smooth.resolution < 16
    assert rough.resolution == 16


def test_a_larger_budget_is_coded_no_coarser():
    data = waves(16, fine=True)
    qualities = [chosen(data, budget).quality for budget in (2500, 8000, 40_000)]
    assert qualities == sorted(qualities)
    assert qualities[0] < qualities[-1]


def test_a_client_with_one_class_can_choose_too():
    assert chosen(waves(48, fine=False, classes=1), 1000).resolution < 16


def test_what_has_nothing_to_choose_stays():
    data = waves(16, fine=False)
    assert chosen(data, 3000, codec="uint8") == CodecConfig(name="uint8")
    table = replace(data, inputs=data.inputs.flatten(1)[:, :6].contiguous())
    assert chosen(table, 3000) == CodecConfig(name="avif")


def test_a_time_budget_ends_the_search():
    assert chosen(waves(48, fine=False), 1500, seconds=1e-6).resolution == 16


@pytest.mark.parametrize("codec", ["avif", "webp"])
def test_a_set_fills_the_budget_at_the_resolution_that_was_chosen(codec):
    data, budget = waves(48, fine=False), 2500
    cfg = DistillerConfig(name="kmeans", bytes=budget, min_records=2)
    plan = replace(plan_for(data), codec=CODECS.get(codec)(CodecConfig(name=codec)))
    made = DISTILLERS.get("kmeans")(cfg).distill(
        data, plan=plan, start=None, rng=torch.Generator().manual_seed(0)
    )
    assert isinstance(made.codec, ImageCodec)
    assert made.codec.cfg.resolution < 16
    size = array_bytes(made.codec.encode(made.synthetic))
    assert 0.5 * budget < size <= budget
