"""Training and evaluation against scikit-learn and closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fdd_flower.config import LocalConfig, TrainingConfig
from fdd_flower.errors import FddError
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.augment import distort
from fdd_flower.training.averages import WeightAverage
from fdd_flower.training.blending import cutmix, mixup
from fdd_flower.training.evaluation import evaluate
from fdd_flower.training.local import squared_distance, train_locally
from fdd_flower.training.loop import train_on
from fdd_flower.training.pace import Pace, Schedule
from tests.conftest import blobs


def _as_set(split) -> SyntheticSet:
    targets = nn.functional.one_hot(split.labels, len(split.classes)).float()
    return SyntheticSet(inputs=split.inputs, targets=targets, weights=torch.ones(len(split)))


def _linear(features: int, classes: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(features, classes))


def test_evaluation_equals_scikit_learn():
    split, model = blobs(counts=(30, 20, 10)), _linear(64, 4)
    split = type(split)(inputs=split.inputs, labels=split.labels, classes=("a", "b", "c", "d"))
    with torch.no_grad():
        logits = model(split.inputs)
    result = evaluate(model, split, batch_size=7)
    truth, guess = split.labels.numpy(), logits.argmax(dim=1).numpy()
    assert result.accuracy == pytest.approx(accuracy_score(truth, guess))
    probabilities = logits.double().softmax(dim=1).numpy()
    assert result.loss == pytest.approx(log_loss(truth, probabilities, labels=range(4)), rel=1e-5)
    assert result.accuracy_per_class[0] == pytest.approx(np.mean(guess[truth == 0] == 0))
    assert np.isnan(result.accuracy_per_class[3])


def test_series_are_shifted_scaled_and_noised_each_by_a_draw_of_its_own():
    line = torch.arange(64.0).expand(200, 2, 64)
    rng = torch.Generator().manual_seed(0)
    found = distort(line, 0.5, rng=rng)
    assert found.shape == line.shape
    slopes, starts = [], []
    for series in found.double().numpy():
        for channel in series:
            # ends repeat where the shift brought none: the middle is a line
            slope, start = np.polyfit(np.arange(4, 60), channel[4:60], 1)
            slopes.append(slope)
            starts.append(start / slope)
            assert np.std(channel[4:60] - start - slope * np.arange(4, 60)) == pytest.approx(
                0.05, rel=0.5
            )
    assert np.std(slopes) == pytest.approx(0.05, rel=0.2)
    shifts = np.rint(starts).astype(int)
    assert set(shifts) == {-2, -1, 0, 1, 2}
    assert (shifts[::2] == shifts[1::2]).all()  # the channels of a window stay together
    assert np.unique(np.round(slopes, 6)).size == 400
    again = distort(line, 0.5, rng=torch.Generator().manual_seed(0))
    assert torch.equal(found, again)


def test_evaluation_teaches_running_statistics_nothing():
    split = blobs(shape=(6,), counts=(30, 20, 10))
    model = nn.Sequential(nn.BatchNorm1d(6), _linear(6, 3)).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    whole, parts = (evaluate(model.train(), split, batch_size=size) for size in (60, 7))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert whole.loss == pytest.approx(parts.loss)


def test_a_linear_model_trained_on_a_set_is_as_good_as_scikit_learns():
    train, test = blobs(shape=(6,), counts=(60, 60, 60)), blobs(shape=(6,), counts=(60, 60, 60))
    model = _linear(6, 3)
    cfg = TrainingConfig(steps=300, learning_rate=0.05, mixup=0.0, noise=0.0)
    train_on(_as_set(train), model, cfg, rng=torch.Generator().manual_seed(0))
    oracle = LogisticRegression().fit(train.inputs.numpy(), train.labels.numpy())
    want = oracle.score(test.inputs.numpy(), test.labels.numpy())
    assert evaluate(model, test).accuracy >= want - 0.02


def test_rows_are_drawn_in_proportion_to_their_weights(monkeypatch):
    monkeypatch.setattr("fdd_flower.training.loop.WEIGHT_DECAY", 0.0)
    # Two contradictory rows: the heavier one wins, and its probability is its share.
    part = SyntheticSet(
        inputs=torch.ones(2, 1), targets=torch.eye(2), weights=torch.tensor([3.0, 1.0])
    )
    model = _linear(1, 2)
    cfg = TrainingConfig(steps=800, learning_rate=0.05, mixup=0.0, noise=0.0)
    train_on(part, model, cfg, rng=torch.Generator().manual_seed(0))
    with torch.no_grad():
        shares = model(torch.ones(1, 1)).softmax(dim=1)
    assert float(shares[0, 0]) == pytest.approx(0.75, abs=0.03)


def test_training_twice_from_one_seed_gives_the_same_bits():
    part, models = _as_set(blobs()), [_linear(64, 3) for _ in range(2)]
    for model in models:
        train_on(part, model, TrainingConfig(steps=5), rng=torch.Generator().manual_seed(4))
    for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_set_is_trained_at_the_pace_of_its_rows_unless_the_settings_name_another():
    free, fixed = TrainingConfig(), TrainingConfig(steps=7, batch_size=5, learning_rate=0.1)
    small, large = Pace.of(free, 255), Pace.of(free, 256)
    assert (small.steps, small.batch_size, small.learning_rate) == (1000, 32, 0.006)
    assert (large.steps, large.batch_size, large.learning_rate) == (1500, 128, 0.003)
    assert (
        Pace.of(fixed, 3) == Pace.of(fixed, 3000) == Pace(steps=7, batch_size=5, learning_rate=0.1)
    )


def test_steps_that_are_named_have_the_rate_of_torchs_cosine_schedule():
    pace = Pace(steps=20, batch_size=1, learning_rate=0.3)
    schedule = Schedule(pace)
    sgd = torch.optim.SGD([torch.zeros(1)], lr=pace.learning_rate)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, pace.steps)
    while schedule.step < schedule.end:
        assert schedule.rate == pytest.approx(sgd.param_groups[0]["lr"], abs=1e-9)
        sgd.step()
        cosine.step()
        schedule.took(torch.tensor(1.0))
    assert schedule.step == 20


def _rates(losses: Callable[[int], float]) -> list[float]:
    schedule = Schedule(Pace(steps=1300, batch_size=1, learning_rate=1.0, slack=0.1))
    rates = []
    while schedule.step < schedule.end:
        rates.append(schedule.rate)
        schedule.took(torch.tensor(losses(schedule.step)))
    return rates


def test_training_ends_when_its_loss_has_settled():
    # it halves in each 200 steps up to the 400th, and then stays
    rates = _rates(lambda step: 0.5 ** min(step // 200, 2))
    assert len(rates) == round(800 * 1.3)
    assert rates[:801] == [1.0] * 801
    assert all(a > b > 0 for a, b in pairwise(rates[800:]))
    assert rates[800 + 120] == pytest.approx(0.5)  # half of the decay


def test_training_that_goes_on_learning_takes_all_steps_and_decays_in_the_last():
    rates = _rates(lambda step: 0.99**step)
    assert len(rates) == 1300
    assert rates[1000] == 1.0 > rates[1001]
    assert rates[-1] < 1e-4


@pytest.mark.parametrize(("steps", "decay"), [(5, 1 - 10 / 15), (5000, 0.9)])
def test_the_average_of_weights_is_torchs(steps, decay):
    model = _linear(4, 2)
    own = WeightAverage(model, decay=0.9, steps=steps)
    theirs = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
    for step in range(4):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(step + 1.0)
        own.update()
        theirs.update_parameters(model)
    own.give()
    for a, b in zip(model.parameters(), theirs.module.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_mixup_blends_inputs_and_targets_by_one_share():
    x, y = torch.eye(50), torch.eye(50)
    mixed_x, mixed_y = mixup(x, y, 0.4, rng=torch.Generator().manual_seed(0))
    assert torch.equal(mixed_x, mixed_y)
    torch.testing.assert_close(mixed_y.sum(dim=1), torch.ones(50))
    same_x, same_y = mixup(x, y, 0.0, rng=torch.Generator())
    assert same_x is x
    assert same_y is y


def test_cutmix_mixes_targets_by_the_area_that_came_from_the_other_image():
    # Image i is i everywhere, so each pixel tells where it came from.
    x = torch.arange(40.0).view(-1, 1, 1, 1).expand(40, 1, 10, 12).contiguous()
    mixed_x, mixed_y = cutmix(x, torch.eye(40), rng=torch.Generator().manual_seed(0))
    pixels = mixed_x.long().flatten(1)
    shares = torch.stack([(pixels == i).float().mean(dim=1) for i in range(40)], dim=1)
    torch.testing.assert_close(mixed_y, shares)
    replaced = 1 - shares.diagonal()
    assert float(replaced.min()) < 0.2
    assert float(replaced.max()) > 0.5


def test_one_local_step_is_sgd_by_hand_with_the_proximal_gradient():
    split, mu, lr = blobs(counts=(8, 8)), 0.5, 0.1
    model, hand = _linear(64, 2), _linear(64, 2)
    cfg = LocalConfig(epochs=2, batch_size=64, learning_rate=lr, momentum=0.0)
    train_locally(split, model, cfg, rng=torch.Generator().manual_seed(0), proximal_mu=mu)
    start = [p.detach().clone() for p in hand.parameters()]
    for _ in range(2):  # full batches: order does not matter
        loss = nn.functional.cross_entropy(hand(split.inputs), split.labels)
        grads = torch.autograd.grad(loss, list(hand.parameters()))
        with torch.no_grad():
            for p, g, p0 in zip(hand.parameters(), grads, start, strict=True):
                p -= lr * (g + mu * (p - p0))
    for a, b in zip(model.parameters(), hand.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_squared_distance_equals_numpy():
    model = _linear(4, 2)
    anchor = [torch.zeros_like(p) for p in model.parameters()]
    want = sum(float((p.detach().numpy() ** 2).sum()) for p in model.parameters())
    assert float(squared_distance(model, anchor).detach()) == pytest.approx(want, rel=1e-5)


def test_a_loss_that_is_not_finite_names_the_setting():
    part = _as_set(blobs())
    bad = SyntheticSet(inputs=part.inputs * 1e37, targets=part.targets, weights=part.weights)
    cfg = TrainingConfig(steps=5, mixup=0.0, noise=0.0, learning_rate=10.0)
    with pytest.raises(FddError, match=r"step \d+.*training\.learning-rate"):
        train_on(bad, _linear(64, 3), cfg, rng=torch.Generator())


def test_noise_blurs_tables_and_leaves_images_and_series_alone():
    def trained(shape: tuple[int, ...], noise: float) -> torch.Tensor:
        part, model = _as_set(blobs(shape=shape)), _linear(math.prod(shape), 3)
        cfg = TrainingConfig(steps=5, noise=noise)
        train_on(part, model, cfg, rng=torch.Generator().manual_seed(0))
        return torch.nn.utils.parameters_to_vector(model.parameters()).detach()

    for shape in ((6,), (1, 8, 8), (2, 20)):
        same = torch.equal(trained(shape, 0.0), trained(shape, 2.0))
        assert same is (len(shape) > 1)


def test_the_last_steps_are_clean():
    def trained(**changes: Any) -> torch.Tensor:
        part, model = _as_set(blobs(shape=(1, 8, 8))), _linear(64, 3)
        cfg = TrainingConfig(steps=10, teacher=0.0, **changes)
        train_on(part, model, cfg, rng=torch.Generator().manual_seed(0))
        return torch.nn.utils.parameters_to_vector(model.parameters()).detach()

    never_blended = trained(mixup=0.0, cutmix=0.0)
    assert torch.equal(trained(clean_steps=1.0), never_blended)
    assert not torch.equal(trained(clean_steps=0.3), trained())
    assert not torch.equal(trained(clean_steps=0.3), never_blended)


@pytest.mark.parametrize(("share", "blended"), [(0.0, 10), (0.3, 7), (0.99, 0), (1.0, 0)])
def test_how_many_of_the_last_steps_are_clean(share, blended, monkeypatch):
    calls = []
    monkeypatch.setattr(
        "fdd_flower.training.loop.blend", lambda x, y, cfg, *, rng: calls.append(1) or (x, y)
    )
    cfg = TrainingConfig(steps=10, teacher=0.0, clean_steps=share)
    train_on(_as_set(blobs()), _linear(64, 3), cfg, rng=torch.Generator().manual_seed(0))
    assert len(calls) == blended


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_teacher_has_its_share_of_the_targets(share, monkeypatch):
    # Rows say class 0, the teacher says class 1: what a model then believes is the share.
    part = SyntheticSet(
        inputs=torch.ones(2, 3), targets=torch.eye(2)[[0, 0]], weights=torch.ones(2)
    )
    teacher = SimpleNamespace(
        of=lambda part, *, seed: lambda x: torch.eye(2)[[1]].expand(len(x), 2)
    )
    monkeypatch.setattr("fdd_flower.training.loop.RidgeTeacher", teacher)
    model = _linear(3, 2)
    cfg = TrainingConfig(steps=600, learning_rate=0.05, noise=0.0, teacher=share)
    train_on(part, model, cfg, rng=torch.Generator().manual_seed(0))
    with torch.no_grad():
        believed = model(part.inputs[:1]).softmax(dim=1)[0, 1]
    assert float(believed) == pytest.approx(share, abs=0.02)
