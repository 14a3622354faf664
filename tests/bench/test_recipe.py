"""Evaluation models: scikit-learn's against scikit-learn, and the same recipe for every set."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from fdd_flower.bench.distil.recipe import (
    Recipe,
    all_models,
    as_set,
    check_model,
    hardened,
    is_hard,
)
from fdd_flower.errors import ConfigError, FddError
from tests.bench.conftest import small
from tests.conftest import blobs

CFG = small().cfg


@pytest.mark.parametrize(
    "model", ["logistic", "mlp", "ridge", "sk-logistic", "sk-forest", "sk-boosting"]
)
@pytest.mark.parametrize("shape", [(13,), (1, 8, 8)])
def test_every_model_learns_blobs_and_repeats_itself(model, shape):
    data = blobs(shape=shape, counts=(40, 30, 20))
    cfg = replace(CFG, training=replace(CFG.training, steps=150, batch_size=32))
    recipe = Recipe(cfg=cfg, test=data)
    first = recipe.accuracy(model, as_set(data), seed=0)
    assert first > 0.9
    assert recipe.accuracy(model, as_set(data), seed=0) == first


def test_scikit_learn_gets_hard_labels_and_weights():
    data, test = blobs(counts=(20, 20, 20)), blobs(counts=(40, 40, 40), seed=0)
    part = as_set(data)
    part = replace(part, targets=0.7 * part.targets + 0.1, weights=torch.rand(60) + 0.1)
    weights = (part.weights / part.weights.mean()).numpy()
    oracle = LogisticRegression(max_iter=1000).fit(
        data.inputs.flatten(1).numpy(), data.labels.numpy(), sample_weight=weights
    )
    share = oracle.score(test.inputs.flatten(1).numpy(), test.labels.numpy())
    assert Recipe(cfg=CFG, test=test).accuracy("sk-logistic", part, seed=0) == share


def test_one_class_is_told():
    data = blobs(counts=(20, 20))
    one = as_set(replace(data, inputs=data.inputs[:20], labels=data.labels[:20]))
    with pytest.raises(FddError, match="at least 2"):
        Recipe(cfg=CFG, test=data).accuracy("sk-forest", one, seed=0)


def test_a_model_that_does_not_fit_is_refused():
    digits = blobs(shape=(1, 8, 8))
    with pytest.raises(ConfigError, match="16x16"):
        check_model("cnn", CFG, digits)
    with pytest.raises(ConfigError, match="sk-logistic"):
        check_model("sk-what", CFG, digits)
    check_model("mlp", CFG, digits)


@pytest.mark.parametrize(
    ("data", "networks"),
    [
        ("wine", ["logistic", "mlp"]),
        ("digits", ["convnet", "logistic", "mlp", "random-features", "resnet18"]),
    ],
)
def test_all_models_are_those_that_take_the_records(data, networks):
    cfg = replace(CFG, data=replace(CFG.data, name=data))
    found = all_models(cfg)
    assert found[-4:] == ("ridge", "sk-boosting", "sk-forest", "sk-logistic")
    assert set(networks) <= set(found[:-4])
    assert "cnn" not in found  # it takes images of 16x16 pixels or more


def test_hard_labels():
    part = as_set(blobs())
    assert is_hard(part)
    soft = replace(part, targets=0.9 * part.targets + 0.1 / part.num_classes)
    assert not is_hard(soft)
    assert torch.equal(hardened(soft).targets, part.targets)


def test_the_summed_gram_line_is_ridge_on_all_records():
    data = blobs(counts=(900, 700), shape=(4,))
    recipe = Recipe(cfg=CFG, test=blobs(counts=(300, 300), shape=(4,), seed=0))
    sums, message = recipe.summed_gram(data, seed=2)
    assert sums["accuracy"] == pytest.approx(
        recipe.accuracy("ridge", as_set(data), seed=2), abs=0.01
    )
    assert all(tensor.dtype == torch.float32 for tensor in message.values())
