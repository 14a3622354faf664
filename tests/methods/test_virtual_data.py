"""FedLGD's contrast, training and gradient matching, against numpy and loops."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)

from fdd_flower.config import LocalConfig, ModelConfig
from fdd_flower.distillers.objectives.gradients import distance
from fdd_flower.errors import FddError
from fdd_flower.methods import _virtual_data
from fdd_flower.methods._virtual_data import contrast, noise_rows, rows_of_step, train_beside
from fdd_flower.models import build_model
from fdd_flower.models.base import Network
from fdd_flower.rng import stream
from fdd_flower.synthetic_set import SyntheticSet

SHAPE, CLASSES = (1, 8, 8), 3


def network(name: str = "mlp", *, seed: int = 0) -> Network:
    cfg = ModelConfig(name=name, width=8, depth=1)
    return build_model(cfg, feature_shape=SHAPE, num_classes=CLASSES, seed=seed)


def test_contrast_is_the_published_sum_in_a_loop():
    features = torch.randn(9, 5, generator=stream(0, "features"))
    labels = [0, 0, 0, 1, 1, 2, 3, 3, 0]  # 2 is alone
    unit = features.double().numpy()
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    total = 0.0
    for i in range(9):
        others = [j for j in range(9) if j != i]
        below = sum(np.exp(unit[i] @ unit[j] / 0.07) for j in others)
        alike = [j for j in others if labels[j] == labels[i]]
        if alike:
            logs = [np.log(np.exp(unit[i] @ unit[j] / 0.07) / below) for j in alike]
            total -= np.mean(logs)
    found = contrast(features, torch.tensor(labels))
    assert float(found) == pytest.approx(total / 9, rel=1e-5)


def test_contrast_has_a_finite_slope_where_rows_are_alone_or_equal():
    features = torch.ones(4, 5, requires_grad=True)
    contrast(features, torch.tensor([0, 1, 2, 2])).backward()
    assert features.grad is not None
    assert bool(features.grad.isfinite().all())


def steps_by_hand(rows: SyntheticSet, model: Network, rate: float, epochs: int) -> Network:
    """Return `model` after plain gradient steps on all `rows` at once."""
    model = copy.deepcopy(model)
    for _ in range(epochs):
        loss = F.cross_entropy(model(rows.inputs), rows.targets)
        slopes = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for weight, slope in zip(model.parameters(), slopes, strict=True):
                weight -= rate * slope
    return model


def test_without_anchors_it_is_plain_training():
    rows, model = noise_rows(SHAPE, CLASSES, 4, rng=stream(0)), network()
    want = steps_by_hand(rows, model, 0.1, 3)
    cfg = LocalConfig(epochs=3, batch_size=100, learning_rate=0.1, momentum=0.0)
    train_beside(rows, None, model, cfg, weight=1, rng=stream(1))
    for a, b in zip(model.parameters(), want.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)


def test_anchors_are_trained_on_and_their_weight_draws_features_to_them():
    own, anchors = (noise_rows(SHAPE, CLASSES, 6, rng=stream(s)) for s in (0, 1))
    cfg = LocalConfig(epochs=20, batch_size=100, learning_rate=0.1, momentum=0.0)
    labels, between = torch.cat([own.labels, anchors.labels]), []
    for weight in (0.0, 1.0):
        model = network()
        before = F.cross_entropy(model(anchors.inputs), anchors.targets).detach()
        train_beside(own, anchors, model, cfg, weight=weight, rng=stream(2))
        assert F.cross_entropy(model(anchors.inputs), anchors.targets) < before
        features = model.features(torch.cat([own.inputs, anchors.inputs])).detach()
        between.append(float(contrast(features, labels)))
    assert between[1] < between[0]


def test_a_loss_that_is_not_finite_is_named():
    rows, model = noise_rows(SHAPE, CLASSES, 4, rng=stream(0)), network()
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    with pytest.raises(FddError, match="training loss on virtual data"):
        train_beside(rows, None, model, LocalConfig(), weight=1, rng=stream(1))


def test_the_distance_is_a_loop_over_the_outputs_of_each_layer():
    layers = [(4, 2, 3, 3), (4,), (5, 7)]
    a, b = ([torch.randn(s, generator=stream(seed, *s)) for s in layers] for seed in (0, 1))
    total = 0.0
    for one, other in zip(a, b, strict=True):
        if one.ndim == 1:
            continue
        for u, v in zip(one.double().numpy(), other.double().numpy(), strict=True):
            norms = np.linalg.norm(u) * np.linalg.norm(v)
            total += 1 - float((u * v).sum()) / (norms + 1e-6)
    assert float(distance(a, b)) == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("name", ["mlp", "convnet"])
def test_rows_are_found_whose_gradient_is_the_step(name, monkeypatch):
    monkeypatch.setattr(_virtual_data, "STEPS", 60)
    model, start = network(name), noise_rows(SHAPE, CLASSES, 2, rng=stream(0))
    data = noise_rows(SHAPE, CLASSES, 30, rng=stream(1))
    after = steps_by_hand(data, model, 0.1, 1)
    step = [(w - v).detach() for w, v in zip(model.parameters(), after.parameters(), strict=True)]

    def apart(rows: SyntheticSet) -> float:
        loss = F.cross_entropy(model(rows.inputs), rows.targets)
        return float(distance(step, torch.autograd.grad(loss, list(model.parameters()))))

    found = rows_of_step(start, model, step)
    assert apart(found) < 0.5 * apart(start)
    assert torch.equal(found.targets, start.targets)
    again = rows_of_step(start, model, step)
    assert torch.equal(found.inputs, again.inputs)


def test_a_step_that_is_not_finite_leaves_the_rows():
    model, start = network(), noise_rows(SHAPE, CLASSES, 2, rng=stream(0))
    step = [torch.full_like(w, float("nan")) for w in model.parameters()]
    found = rows_of_step(start, model, step)
    assert torch.equal(found.inputs, start.inputs)


def test_noise_rows_have_each_class_as_often():
    rows = noise_rows(SHAPE, CLASSES, 5, rng=stream(0))
    assert rows.labels.bincount().tolist() == [5, 5, 5]
    assert rows.inputs.shape == (15, *SHAPE)
