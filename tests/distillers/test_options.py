"""Options that do not fit are refused by name, before any work."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from fdd_flower.config import CodecConfig, DistillerConfig, ModelConfig, find_key
from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.distillers.parts.options import check_options, check_plan
from fdd_flower.distillers.parts.unused import check_unused
from fdd_flower.errors import ConfigError, FddError
from fdd_flower.models import build_model
from fdd_flower.wire.codecs.base import CODECS, array_bytes
from tests.conftest import blobs, plan_for

IMAGE = (1, 8, 8)


@pytest.mark.parametrize(
    ("settings", "shape", "rounds", "said"),
    [
        ({"start": "sharp"}, (13,), 3, r"distiller\.start: expected sharp for images.*\(13,\)"),
        ({"packing": 2}, (13,), 3, r"distiller\.packing: expected 1 .*\(13,\)"),
        ({"packing": 4}, (3, 7), 3, r"distiller\.packing: .*2 steps for each series.*4 .* of 7"),
        ({"packing": 4}, (1, 7, 7), 3, r"distiller\.packing: .*2 pixels per side.*7x7"),
        ({"name": "dm", "peers": True}, IMAGE, 3, r"distiller\.peers: .*dm"),
        ({"name": "krr", "peers": True}, IMAGE, 1, r"distiller\.peers: .*2 rounds"),
        ({"labels": "global"}, IMAGE, 1, r"distiller\.labels: .*2 rounds"),
    ],
)
def test_before_the_first_round(settings, shape, rounds, said):
    with pytest.raises(ConfigError, match=said):
        check_options(dataclasses.replace(DistillerConfig(), **settings), shape, rounds=rounds)


def test_what_fits_is_let_through():
    check_options(DistillerConfig(packing=2, labels="global"), IMAGE, rounds=2)
    check_options(DistillerConfig(name="krr", peers=True), IMAGE, rounds=2)


@pytest.mark.parametrize(
    ("settings", "shape", "said"),
    [
        ({"name": "krr", "labels": "local"}, IMAGE, r"labels: expected hard with krr.*got local"),
        ({"name": "dm-krr", "labels": "ridge"}, IMAGE, r"labels: expected hard with dm-krr"),
        ({"name": "dc", "augment": True}, IMAGE, r"augment: expected false with dc.*got true"),
        ({"name": "dsa", "augment": True}, IMAGE, r"augment: expected false with dsa"),
        ({"name": "dsa", "sample": 100}, IMAGE, r"sample: expected 1500 with dsa"),
        ({"augment": True}, (13,), r"augment: .*true for records of shape \(13,\)"),
        ({"augment": True}, (3, 40), r"augment: .*tables and series"),
        ({"name": "dc", "peers": True, "inner_steps": 0}, IMAGE, r"inner-steps: "),
        ({"name": "dsa", "peers": True, "inner_steps": 0}, IMAGE, r"inner-steps: "),
    ],
)
def test_what_would_have_no_effect_is_refused_before_a_run_and_before_work(settings, shape, said):
    cfg = dataclasses.replace(DistillerConfig(), **settings)
    with pytest.raises(ConfigError, match=rf"^distiller\.{said}"):
        check_options(cfg, shape, rounds=3)
    data = blobs(shape=shape)
    with pytest.raises(ConfigError, match=rf"^distiller\.{said}"):
        DISTILLERS.get(cfg.name)(cfg).distill(
            data, plan=plan_for(data), start=None, rng=torch.Generator()
        )


def test_what_has_an_effect_elsewhere_is_let_through():
    for settings in (
        {"name": "krr", "augment": True, "sample": 100},
        {"name": "dm", "labels": "ridge", "inner_steps": 0},
        {"name": "krr", "peers": True, "inner_steps": 0},
        {"name": "dc", "labels": "ridge", "inner_steps": 0},
        {"bytes": 9000},
    ):
        check_options(dataclasses.replace(DistillerConfig(), **settings), IMAGE, rounds=3)


def test_a_time_budget_of_zero_is_refused():
    with pytest.raises(ConfigError, match=r"distiller\.seconds: expected a number from 0\.1"):
        find_key("distiller.seconds").check(0.0)


@pytest.mark.parametrize("key", ["embedder", "labels"])
def test_a_global_model_that_is_missing_or_knows_other_classes(key):
    plan, cfg = plan_for(blobs()), dataclasses.replace(DistillerConfig(), **{key: "global"})
    with pytest.raises(ConfigError, match=rf"distiller\.{key}: expected a global model"):
        check_plan(cfg, plan)
    model = build_model(ModelConfig(name="mlp"), feature_shape=IMAGE, num_classes=2, seed=0)
    with pytest.raises(ConfigError, match=rf"distiller\.{key}: .*3 classes; got 2"):
        check_plan(cfg, dataclasses.replace(plan, model=model))


def test_a_plan_without_peers_or_classes():
    plan = plan_for(blobs())
    with pytest.raises(ConfigError, match=r"distiller\.peers: .*none in round 1"):
        check_plan(DistillerConfig(name="krr", peers=True), plan)
    with pytest.raises(ConfigError, match=r"plan\.classes: expected at least one class"):
        check_plan(DistillerConfig(labels="local"), dataclasses.replace(plan, classes=()))


def test_a_codec_for_series_packs_them_itself():
    plan = plan_for(blobs(shape=(3, 40)))
    check_plan(DistillerConfig(packing=2), plan)
    by_codec = dataclasses.replace(plan, codec=CODECS.get("series")(CodecConfig(name="series")))
    check_plan(DistillerConfig(packing=1), by_codec)
    with pytest.raises(
        ConfigError, match=r"distiller\.packing: expected 1 with a codec for series"
    ):
        check_plan(DistillerConfig(packing=2), by_codec)


def test_how_a_budget_is_filled_needs_one():
    with pytest.raises(ConfigError, match=r"distiller\.fill: expected trade without"):
        check_unused(DistillerConfig(fill="rows"), (1, 8, 8))


def test_a_byte_budget_needs_a_codec():
    with pytest.raises(ConfigError, match=r"distiller\.bytes: expected a codec"):
        check_plan(DistillerConfig(bytes=1000), plan_for(blobs()))


class _Small:
    def max_rows(self, feature_shape: tuple[int, ...]) -> int:
        return 9


def test_more_rows_than_a_mosaic_has_pixels_for():
    plan = dataclasses.replace(plan_for(blobs()), codec=_Small())
    check_plan(DistillerConfig(ipc=9), plan)
    with pytest.raises(ConfigError, match=r"distiller\.ipc: expected at most 9 .*got 10"):
        check_plan(DistillerConfig(ipc=10), plan)


@pytest.mark.parametrize("shape", [IMAGE, (13,)])
@pytest.mark.parametrize("name", CODECS.built_in())
def test_a_byte_budget_below_one_row_is_refused_and_no_set_is_smaller(name, shape):
    data = blobs(shape=shape, counts=(8, 0, 0))
    plan = dataclasses.replace(plan_for(data), codec=CODECS.get(name)(CodecConfig(name=name)))
    with pytest.raises(ConfigError, match=r"^distiller\.bytes: expected at least \d+ .*got 1") as e:
        check_plan(DistillerConfig(bytes=1), plan)
    assert name in e.value.expected.lower()
    least = int(e.value.expected.split()[2])
    check_plan(DistillerConfig(bytes=least), plan)
    with pytest.raises(ConfigError, match=r"distiller\.bytes"):
        check_plan(DistillerConfig(bytes=least - 1), plan)
    cfg = DistillerConfig(name="kmeans", bytes=least + 400)
    part = DISTILLERS.get("kmeans")(cfg).distill(data, plan=plan, start=None, rng=torch.Generator())
    assert part.codec is not None
    assert least <= array_bytes(part.codec.encode(part.synthetic)) <= cfg.bytes


@pytest.mark.parametrize("name", DISTILLERS.built_in())
def test_every_distiller_refuses_before_it_works(name):
    data = blobs(shape=(13,))
    cfg = DistillerConfig(name=name, packing=2)
    with pytest.raises(FddError, match=r"distiller\.packing"):
        DISTILLERS.get(name)(cfg).distill(
            data, plan=plan_for(data), start=None, rng=torch.Generator()
        )


@pytest.mark.parametrize("labels", ["hard", "local", "ridge"])
def test_a_client_with_one_class_can_ask_for_everything_trained(labels):
    data = blobs(counts=(60, 0, 0))
    cfg = DistillerConfig(
        name="dm", ipc=2, steps=2, networks=2, width=4, embedder="trained", labels=labels
    )
    rng = torch.Generator().manual_seed(0)
    part = DISTILLERS.get("dm")(cfg).distill(data, plan=plan_for(data), start=None, rng=rng)
    assert part.synthetic.labels.tolist() == [0, 0]


def test_withheld_classes_shape_neither_networks_nor_labels(monkeypatch):
    monkeypatch.setattr("fdd_flower.distillers.parts.labels.TEACHER_STEPS", 4)
    cfg = DistillerConfig(
        name="dm",
        ipc=2,
        steps=2,
        networks=2,
        width=4,
        embedder="trained",
        embedder_steps=4,
        labels="local",
    )
    sets = []
    for few in (0, 5):
        data = blobs(counts=(60, 60, few))
        rng = torch.Generator().manual_seed(0)
        sets.append(
            DISTILLERS.get("dm")(cfg).distill(data, plan=plan_for(data), start=None, rng=rng)
        )
    assert sets[1].withheld == ("c",)
    assert torch.equal(sets[0].synthetic.inputs, sets[1].synthetic.inputs)
    assert torch.equal(sets[0].synthetic.targets, sets[1].synthetic.targets)


def test_each_network_sees_records_of_its_own_draw_whichever_classes_are_there(monkeypatch):
    from fdd_flower.distillers.objectives import matching

    seen: list[torch.Tensor] = []
    original = matching.moments_of

    def watched(view, inputs, kind):
        seen.append(inputs)
        return original(view, inputs, kind)

    monkeypatch.setattr(matching, "moments_of", watched)
    cfg = DistillerConfig(name="dm", ipc=2, steps=1, networks=2, width=4, sample=20)
    for counts in ((60, 40, 0), (60, 0, 0)):
        data = blobs(counts=counts)
        rng = torch.Generator().manual_seed(0)
        DISTILLERS.get("dm")(cfg).distill(data, plan=plan_for(data), start=None, rng=rng)
    assert [len(inputs) for inputs in seen] == [20] * 6
    first, _, second, _, alone, again = seen
    assert not torch.equal(first, second)
    assert torch.equal(first, alone)
    assert torch.equal(second, again)
