"""Filling a byte budget: fewer and finer images, or more and coarser ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from fdd_flower.config import CodecConfig, DistillerConfig
from fdd_flower.data.base import Split
from fdd_flower.distillers import dm
from fdd_flower.distillers.base import DISTILLERS, Distilled, Plan, usable_classes
from fdd_flower.distillers.budget.budget import fit, plan_for_bytes
from fdd_flower.distillers.budget.fill import most_rows
from fdd_flower.distillers.budget.trade import best_codec, energy_distance
from fdd_flower.distillers.parts import pipeline
from fdd_flower.distillers.parts.canvas import Canvas
from fdd_flower.distillers.parts.clock import Clock
from fdd_flower.errors import DistillError
from fdd_flower.wire.codecs._images import ImageCodec
from fdd_flower.wire.codecs.base import CODECS, array_bytes
from tests.conftest import blobs, plan_for


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


def chosen(data: Split, budget: int, *, seconds: float = 3600.0, codec: str = "avif") -> Any:
    cfg = DistillerConfig(bytes=budget, min_records=2, ipc=1000, width=8)
    plan = replace(plan_for(data), codec=CODECS.get(codec)(CodecConfig(name=codec)))
    parts, _ = usable_classes(data, cfg)
    return best_codec(parts, cfg, plan, seed=0, clock=Clock(seconds))


def test_images_without_detail_are_sent_smaller_and_others_are_not():
    smooth = chosen(waves(48, fine=False), 1500)
    rough = chosen(waves(48, fine=True), 20_000)
    assert smooth.resolution < 16
    assert rough.resolution == 16


def test_a_larger_budget_is_coded_no_coarser():
    data = waves(16, fine=True)
    qualities = [chosen(data, budget).cfg.quality for budget in (2500, 8000, 40_000)]
    assert qualities == sorted(qualities)
    assert qualities[0] < qualities[-1]


def test_the_quality_of_series_follows_the_budget_too():
    images = waves(16, fine=True)
    data = replace(images, inputs=images.inputs.view(-1, 4, 64).cumsum(dim=2))
    found = [chosen(data, budget, codec="series").cfg.quality for budget in (1500, 6000, 40_000)]
    assert found == sorted(found)
    assert found[0] < found[-1]
    # a codec of images has no quality for series
    assert chosen(data, 1500).cfg == CodecConfig(name="avif")


def test_classes_of_few_records_have_no_say():
    data = waves(16, fine=True, classes=3)
    lone = torch.ones(len(data), dtype=torch.bool)
    lone[1:60] = False  # one record of the first class is left
    cfg = DistillerConfig(bytes=6000, min_records=1, ipc=1000, width=8)
    found: list[Any] = []
    for kept in (lone, data.labels > 0):
        parts, _ = usable_classes(data.take(kept), cfg)
        found.append(best_codec(parts, cfg, through(data, "avif"), seed=0, clock=Clock(3600)))
    assert found[0].cfg == found[1].cfg


def test_a_budget_asks_for_no_more_rows_than_a_mosaic_holds(monkeypatch):
    monkeypatch.setattr("fdd_flower.wire.codecs._mosaic.MAX_PIXELS", 12 * 48 * 48)
    made = distilled(waves(48, fine=True), "avif", 100_000, "kmeans")
    assert torch.bincount(made.synthetic.labels).tolist() == [12, 12]


def test_a_client_with_one_class_can_choose_too():
    assert chosen(waves(48, fine=False, classes=1), 1000).resolution < 16


def test_what_has_nothing_to_choose_stays():
    data = waves(16, fine=False)
    assert not isinstance(chosen(data, 3000, codec="uint8"), ImageCodec)
    table = replace(data, inputs=data.inputs.flatten(1)[:, :6].contiguous())
    assert chosen(table, 3000).cfg == CodecConfig(name="avif")


def test_a_time_budget_ends_the_search():
    assert chosen(waves(48, fine=False), 1500, seconds=1e-6).resolution == 16


def through(data: Split, codec: str) -> Plan:
    return replace(plan_for(data), codec=CODECS.get(codec)(CodecConfig(name=codec)))


def distilled(data: Split, codec: str, budget: int, name: str, **options: object) -> Distilled:
    cfg = DistillerConfig(
        name=name,
        bytes=budget,
        min_records=2,
        steps=12,
        networks=2,
        width=4,
        **options,  # type: ignore[arg-type]
    )
    rng = torch.Generator().manual_seed(0)
    return DISTILLERS.get(name)(cfg).distill(data, plan=through(data, codec), start=None, rng=rng)


def size_of(made: Distilled) -> int:
    assert made.codec is not None
    return array_bytes(made.codec.encode(made.synthetic))


@pytest.mark.parametrize("codec", ["avif", "webp"])
def test_a_set_fills_the_budget_at_the_resolution_that_was_chosen(codec):
    budget = 2500
    made = distilled(waves(48, fine=False), codec, budget, "kmeans")
    assert isinstance(made.codec, ImageCodec)
    assert made.codec.resolution < 16
    assert 0.5 * budget < size_of(made) <= budget


@pytest.mark.parametrize(("name", "aware"), [("kmeans", False), ("dm", False), ("dm", True)])
@pytest.mark.parametrize(
    ("codec", "shape"),
    [(codec, (1, 12, 12)) for codec in ("float16", "uint8", "webp", "avif")]
    + [(codec, (13,)) for codec in ("float16", "uint8")],
)
def test_a_byte_budget_is_kept_and_filled_through_any_codec(name, codec, shape, aware):
    budget = 4000
    data = blobs(shape=shape, counts=(200, 200))
    assert 0.6 * budget < size_of(distilled(data, codec, budget, name, codec_aware=aware)) <= budget


def test_what_is_decoded_is_what_was_optimised(monkeypatch):
    seen: list[Canvas] = []

    def watched(canvas, *args, **options):
        seen.append(canvas)
        return optimise(canvas, *args, **options)

    optimise = dm.optimise
    monkeypatch.setattr(dm, "optimise", watched)
    data, budget = waves(16, fine=True), 3000
    made = distilled(data, "avif", budget, "dm", codec_aware=True)
    canvas = seen[0]
    assert isinstance(made.codec, ImageCodec)
    assert isinstance(canvas.codec, ImageCodec)
    assert made.codec.cfg == canvas.codec.cfg
    assert 0.9 * budget < size_of(made) <= budget
    canvas.through_codec(0)
    back = made.codec.decode(
        made.codec.encode(made.synthetic), feature_shape=(1, 16, 16), num_classes=2
    )
    torch.testing.assert_close(back.inputs, canvas.show_all().detach())
    # the quality followed the rows, which took less than was expected of them at the start
    first = plan_for_bytes(
        data,
        DistillerConfig(name="dm", bytes=budget),
        through(data, "avif"),
        seed=0,
        clock=Clock(3600),
    )[1].codec
    assert isinstance(first, ImageCodec)
    assert made.codec.cfg.quality != first.cfg.quality


@pytest.mark.parametrize("name", ["kmeans", "dm"])
@pytest.mark.parametrize("aware", [False, True])
def test_clients_code_alike_where_rows_alone_fill_the_budget(name, aware):
    budget, sizes = 1500, {}
    for fine in (False, True):
        data = waves(24, fine=fine)
        made = distilled(data, "avif", budget, name, codec_aware=aware, fill="rows")
        assert isinstance(made.codec, ImageCodec)
        assert made.codec.cfg == CodecConfig(name="avif")
        assert 0.6 * budget < size_of(made) <= budget
        sizes[fine] = len(made.synthetic)
    # what has less detail costs less, so there are more of it
    assert sizes[False] > sizes[True]


def test_rows_that_do_not_fit_go_from_all_over_their_class():
    data = blobs(shape=(1, 12, 12), counts=(200,))
    synthetic = distilled(data, "uint8", 20_000, "kmeans").synthetic
    synthetic = replace(synthetic, weights=torch.arange(1.0, len(synthetic) + 1))
    codec = CODECS.get("uint8")(CodecConfig(name="uint8"))
    size, whole = array_bytes(codec.encode(synthetic)), len(synthetic)
    kept, _ = fit(synthetic, codec, max_bytes=size - 1)
    assert len(kept) == whole - 1
    kept, _ = fit(synthetic, codec, max_bytes=size * 4 // 5)
    assert 0.75 * size < array_bytes(codec.encode(kept)) <= size * 4 // 5
    places = [int((synthetic.inputs == row).flatten(1).all(1).nonzero()[0]) for row in kept.inputs]
    gone = torch.ones(whole)
    gone[places] = 0
    assert all(part.any() for part in gone.chunk(3))
    assert float(kept.weights.sum()) == pytest.approx(float(synthetic.weights.sum()))


def test_rows_go_before_the_quality_that_they_were_optimised_at():
    synthetic = distilled(waves(16, fine=True), "avif", 6000, "kmeans").synthetic
    codec = CODECS.get("avif")(CodecConfig(name="avif", quality=60))
    assert isinstance(codec, ImageCodec)
    assert array_bytes(codec.encode(synthetic)) > 4000
    kept, same = fit(synthetic, codec, max_bytes=4000, keep_quality=True)
    assert same is codec
    assert 0.8 * 4000 < array_bytes(same.encode(kept)) <= 4000
    assert len(kept) < len(synthetic)
    whole, coarser = fit(synthetic, codec, max_bytes=4000)
    assert len(whole) == len(synthetic)
    assert isinstance(coarser, ImageCodec)
    assert coarser.cfg.quality < 60
    # at this quality there is no room for a row a class
    few, coarse = fit(synthetic, codec.at_quality(100), max_bytes=1000, keep_quality=True)
    assert isinstance(coarse, ImageCodec)
    assert coarse.cfg.quality < 100
    assert array_bytes(coarse.encode(few)) <= 1000


@pytest.mark.parametrize(
    ("name", "labels"), [("kmeans", "ridge"), ("kmeans", "local"), ("krr", "hard")]
)
def test_rows_with_soft_labels_are_fewer(name, labels):
    data = blobs(shape=(1, 8, 8), counts=(200,) * 8)

    def rows(**options: object) -> int:
        cfg = DistillerConfig(bytes=4000, **options)  # type: ignore[arg-type]
        planned, _ = plan_for_bytes(data, cfg, through(data, "avif"), seed=0, clock=Clock(3600))
        return planned.ipc

    assert rows(name=name, labels=labels) < rows(name="kmeans")


# room for a row of one class, but not of eight
@pytest.mark.parametrize(("codec", "budget"), [("avif", 850), ("uint8", 2000)])
def test_a_budget_without_room_is_refused_before_any_work(codec, budget, monkeypatch):
    def never(*args: object, **options: object) -> None:
        raise AssertionError

    monkeypatch.setattr(pipeline, "start_images", never)
    monkeypatch.setattr(dm, "optimise", never)
    with pytest.raises(DistillError, match=r"distiller\.bytes: expected room for one row"):
        distilled(blobs(shape=(1, 12, 12), counts=(60,) * 8), codec, budget, "dm", start="noise")
