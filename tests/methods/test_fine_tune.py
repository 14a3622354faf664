"""A finishing round by fine-tuning: the mean of what training on real records changes."""

from __future__ import annotations

import zlib
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import nn

from fdd_flower.config import CodecConfig, Config, ModelConfig, TrainingConfig
from fdd_flower.errors import ConfigError
from fdd_flower.methods._finish import check_finish
from fdd_flower.models import build_model
from fdd_flower.server.finish.fine_tune import LONGEST, FineTune
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.finish.fine_tune import STEP, Change, fine_tuned, step, with_rehearsal
from fdd_flower.wire.changes import change_bytes, change_record, read_change
from fdd_flower.wire.codecs import _mosaic
from fdd_flower.wire.codecs.base import build_codec
from fdd_flower.wire.packed import pack
from fdd_flower.wire.records import PEERS, read_set, to_array_record, to_numpy
from fdd_flower.wire.refusals import Code, RefusedError
from tests.attacks.scene import plan

CLASSES, WIDE = 3, 6


def linear(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Linear(WIDE, CLASSES)


def sizes(model: nn.Module) -> list[int]:
    return [p.numel() for p in model.parameters()]


def change(seed: int = 1, *, rounding: int = 0, records: int = 10) -> Change:
    rng = torch.Generator().manual_seed(rounding)
    return Change.of(linear(0), linear(seed), records=records, rng=rng)


def test_a_change_takes_four_bits_and_is_right_in_the_mean():
    wanted = torch.cat(
        [
            (b - a).detach().flatten()
            for a, b in zip(linear(0).parameters(), linear(1).parameters(), strict=True)
        ]
    ).double()
    drawn = [change(rounding=seed) for seed in range(400)]
    assert max(int(one.codes.abs().max()) for one in drawn) == 7
    values = torch.stack([one.dense(sizes(linear(0))) for one in drawn])
    steps = torch.repeat_interleave(drawn[0].steps.double(), torch.tensor(sizes(linear(0))))
    assert bool(((values - wanted).abs() <= steps * (1 + 1e-6)).all())
    error, spread = (values.mean(dim=0) - wanted).abs(), values.std(dim=0) / 20
    assert bool((error <= 5 * spread + 1e-6).all())


def test_the_model_moves_by_the_mean_of_all_changes():
    model, parts = linear(0), [(30.0, change(1)), (10.0, change(2))]
    before = [p.detach().double().numpy().copy() for p in model.parameters()]
    step(model, parts)
    place = 0
    for i, (old, new) in enumerate(zip(before, model.parameters(), strict=True)):
        total = np.zeros_like(old)
        for weight, part in parts:
            codes = part.codes[place : place + old.size].numpy().reshape(old.shape)
            total += weight * codes * float(part.steps[i])
        np.testing.assert_allclose(
            new.detach().numpy(), old + STEP * total / 40, rtol=1e-5, atol=1e-6
        )
        place += old.size


def test_a_party_rehearses_what_it_lacks():
    merged = SyntheticSet(
        inputs=torch.arange(4.0)[:, None],
        targets=torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0.5, 0.5], [0, 0, 1]]),
        weights=torch.tensor([20.0, 30, 20, 10]),
    )
    # a quarter, a half and a quarter: 40 records should be 10, 20 and 10
    held = F.one_hot(torch.tensor([0] * 30 + [2] * 6 + [1] * 4), 3).float()
    found = with_rehearsal(torch.full((40, 1), 9.0), held, merged)
    assert found.inputs.flatten().tolist() == [9.0] * 40 + [1.0, 2.0, 3.0]
    assert found.weights[:40].tolist() == [1.0] * 40
    # it lacks 16 and 4, and the rows of those classes weigh 40 and 20
    each = [30 * 16 / 40, 20 * (0.5 * 16 / 40 + 0.5 * 4 / 20), 10 * 4 / 20]
    np.testing.assert_allclose(found.weights[40:], each, rtol=1e-6)


def test_one_class_each_still_adds_up_to_a_better_model():
    rng = torch.Generator().manual_seed(0)
    centres = 2 * torch.randn(CLASSES, 8, generator=rng)
    labels = torch.arange(600) % CLASSES
    real = centres[labels] + 1.5 * torch.randn(600, 8, generator=rng)
    off = centres + 0.9 * torch.randn(CLASSES, 8, generator=rng)  # what a set got wrong
    merged = SyntheticSet(
        inputs=off.repeat(10, 1) + torch.randn(30, 8, generator=rng),
        targets=torch.eye(CLASSES).repeat(10, 1),
        weights=torch.full((30,), 20.0),
    )
    model = build_model(ModelConfig(name="logistic"), feature_shape=(8,), num_classes=3, seed=0)
    with torch.no_grad():
        head = next(p for p in model.parameters() if p.ndim == 2)
        head.copy_(off)

    def right() -> float:
        with torch.no_grad():
            return float((model(real).argmax(1) == labels).double().mean())

    before, parts = right(), []
    for label in range(CLASSES):
        mine = labels == label
        own = real[mine], F.one_hot(labels[mine], CLASSES).float()
        after = fine_tuned(model, *own, merged, TrainingConfig(), rng=rng)
        parts.append((1.0, Change.of(model, after, records=200, rng=rng)))
    kept = deepcopy(model.state_dict())
    step(model, parts)
    assert right() > before
    # what training on one class alone does to the others is what rehearsal is for
    model.load_state_dict(kept)
    step(model, parts[:1])
    assert right() > before - 0.05


def test_it_comes_back_as_it_was_sent():
    sent = change()
    back = read_change(change_record(sent), sizes(linear(0)))
    assert all(torch.equal(getattr(back, n), getattr(sent, n)) for n in Change.__slots__)


def test_the_largest_change_fits():
    codes = np.random.default_rng(0).integers(-7, 8, 300_000).astype(np.int8)
    assert len(pack(codes)) <= change_bytes([len(codes)]) - 4096


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("codes", np.frombuffer(zlib.compress(bytes(10**6)), np.uint8), Code.UNDECODABLE),
        ("codes", pack(np.full(21, 8, np.int8)), Code.RANGE),
        ("codes", pack(np.full(21, -128, np.int8)), Code.RANGE),
        ("codes", pack(np.zeros(20, np.int8)), Code.UNDECODABLE),  # of another model
        ("steps", np.ones(3, np.float32), Code.SHAPE),
        ("steps", np.array([np.nan, 1], np.float32), Code.NOT_FINITE),
        ("steps", np.array([0, 1], np.float32), Code.RANGE),
        ("steps", np.array([1e5, 1], np.float32), Code.RANGE),
        ("steps", np.ones(2), Code.DTYPE),
        ("records", np.array([0], np.int64), Code.WEIGHTS),
        ("more", np.zeros(1), Code.ARRAYS),
    ],
)
def test_what_no_client_can_send_is_refused(name, value, code):
    good = to_numpy(change_record(change()), max_bytes=10**6)
    with pytest.raises(RefusedError) as caught:
        read_change(to_array_record({**good, name: value}), sizes(linear(0)))
    assert caught.value.code == code


def test_no_change_is_far_longer_than_the_median():
    cfg = replace(Config(), model=ModelConfig(name="logistic"))
    model = build_model(cfg.model, feature_shape=(WIDE,), num_classes=CLASSES, seed=0)
    finish = FineTune(cfg, plan(), model)
    one = change()
    huge = replace(one, steps=one.steps * 1000)
    many = replace(one, records=torch.tensor([10**9]))
    weights = [weight for weight, _ in finish.bounded([one, one, one, huge, many])]
    assert weights[:3] == [10.0] * 3
    assert weights[3] * 1000 == pytest.approx(10 * LONGEST, rel=1e-4)
    assert weights[4] == 100 * 10
    # of two, the larger one is not the measure
    assert finish.bounded([huge, one])[1][0] == 10
    assert finish.bounded([huge, one])[0][0] == pytest.approx(10 * LONGEST / 1000, rel=1e-4)
    still = replace(one, codes=torch.zeros_like(one.codes))
    assert [weight for weight, _ in finish.bounded([still, still])] == [10.0, 10.0]


def test_a_merged_set_of_any_weights_goes_down():
    finish = FineTune(
        Config(),
        replace(plan(), feature_shape=(WIDE,)),
        build_model(
            ModelConfig(name="logistic"), feature_shape=(WIDE,), num_classes=CLASSES, seed=0
        ),
    )
    merged = SyntheticSet(
        inputs=torch.randn(4, WIDE, generator=torch.Generator().manual_seed(0)),
        targets=torch.eye(CLASSES)[torch.tensor([0, 1, 2, 2])],
        weights=torch.tensor([1e-30, 1.0, 8.0, 1e12]),  # an old set's, and what claims add up to
    )
    sent = finish.beside(finish.model, merged)[PEERS]
    found = read_set(sent, build_codec(CodecConfig(), (WIDE,)), finish.plan, max_bytes=10**6)
    assert found.weights[1:3].tolist() == [1.0, 8.0]
    assert found.weights[0] < 1e-5


def test_a_merged_set_that_no_mosaic_holds_is_thinned(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_mosaic, "MAX_PIXELS", 4 * 16 * 16)
    shape, own = (1, 16, 16), ModelConfig(name="cnn")
    cfg = replace(Config(), codec=CodecConfig(name="avif"))
    model = build_model(own, feature_shape=shape, num_classes=CLASSES, seed=0)
    finish = FineTune(cfg, replace(plan(shape), classes=("a", "b", "c")), model)
    merged = SyntheticSet(
        inputs=torch.zeros(10, *shape),
        targets=torch.eye(CLASSES)[torch.tensor([0] * 8 + [2] * 2)],
        weights=torch.arange(1.0, 11.0),
    )
    sent = finish.beside(finish.model, merged)[PEERS]
    found = read_set(sent, build_codec(cfg.codec, shape), finish.plan, max_bytes=10**6)
    assert found.labels.tolist() == [0] * 4 + [2] * 2
    assert found.weights.tolist() == [2.0, 6.0, 10.0, 14.0, 9.0, 10.0]  # every other one, for two


def test_a_model_that_is_fitted_at_once_is_refused():
    cfg = replace(Config(), num_server_rounds=2, model=ModelConfig(name="random-forest"))
    cfg = replace(cfg, strategy=replace(cfg.strategy, finish="fine-tune"))
    model = build_model(cfg.model, feature_shape=(1, 8, 8), num_classes=3, seed=0)
    with pytest.raises(ConfigError, match=r"strategy\.finish.*random-forest"):
        check_finish(cfg, plan(), model)
