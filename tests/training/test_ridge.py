"""Ridge regression against scikit-learn, and its sums against all records at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge

from fdd_flower.bench.distil.recipe import as_set
from fdd_flower.training.ridge import fit_ridge, gram, predict, received, sent, solve_gram
from fdd_flower.training.ridge_features import draw_features
from fdd_flower.training.teachers import RidgeTeacher
from tests.conftest import blobs

SHAPES = [(1, 8, 8), (3, 12, 12), (13,), (2, 20)]


def _penalty(f: np.ndarray) -> float:
    n, d = f.shape
    return min(0.1, 5 / n) * float((f**2).sum()) / min(n, d)


@pytest.mark.parametrize("shape", SHAPES)
def test_few_rows_as_kernel_ridge(shape):
    part = as_set(blobs(shape=shape, counts=(9, 12, 5)))
    weights = torch.rand(len(part)) + 0.5
    phi = draw_features(shape, width=96, seed=3)
    f, w = phi(part.inputs).double().numpy(), (weights / weights.mean()).double().numpy()
    alpha: Any = _penalty(np.sqrt(w)[:, None] * f)  # the stubs want an integer
    oracle = KernelRidge(alpha=alpha, kernel="linear")
    oracle.fit(f, part.targets.numpy(), sample_weight=w)
    mine = f @ fit_ridge(phi, part.inputs, part.targets, weights).numpy()
    assert np.allclose(mine, oracle.predict(f), atol=1e-6)


def test_many_rows_as_ridge_on_all_features():
    data = blobs(shape=(4,), counts=(900, 800))
    phi, everything = draw_features((4,), width=96, seed=3), as_set(data)
    f = phi(data.inputs).double().numpy()
    assert len(f) > f.shape[1]
    oracle = Ridge(alpha=_penalty(f), fit_intercept=False).fit(f, everything.targets.numpy())
    mine = fit_ridge(phi, everything.inputs, everything.targets, everything.weights)
    assert np.allclose(f @ mine.numpy(), oracle.predict(f), atol=1e-3)


def test_sums_over_any_partition_give_what_all_records_give():
    data = blobs(shape=(1, 8, 8), counts=(400, 300, 200))
    phi, e = draw_features((1, 8, 8), width=96, seed=5), as_set(data)
    whole = gram(phi, e.inputs, e.targets, e.weights)
    parts = [
        gram(phi, e.inputs[held], e.targets[held], e.weights[held])
        for held in (data.labels == label for label in range(3))
    ]
    for name in ("features", "products"):
        total = torch.stack([getattr(part, name) for part in parts]).sum(dim=0)
        assert torch.allclose(total, getattr(whole, name), rtol=1e-5, atol=1e-2)
    f = phi(data.inputs).double().numpy()
    oracle = Ridge(alpha=_penalty(f), fit_intercept=False).fit(f, e.targets.numpy())
    mine = f @ solve_gram(received(sent(whole)), len(data)).numpy()
    assert np.abs(mine - oracle.predict(f)).max() < 1e-2
    assert (mine.argmax(1) == oracle.predict(f).argmax(1)).mean() > 0.999


def test_what_is_sent_is_a_triangle_and_comes_back_whole():
    data = blobs(shape=(4,), counts=(30, 20))
    e, phi = as_set(data), draw_features((4,), width=96, seed=1)
    sums = gram(phi, e.inputs, e.targets, e.weights)
    message = sent(sums)
    d = len(sums.features)
    assert message["features"].shape == (d * (d + 1) // 2,)
    assert torch.equal(
        received(message).features.float(),
        sums.features.float().triu() + sums.features.float().triu(1).T,
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_features_hold_a_constant_and_depend_on_the_seed(shape):
    x = blobs(shape=shape).inputs
    f = draw_features(shape, width=96, seed=0)(x)
    assert torch.equal(f[:, -1], torch.ones(len(x)))
    assert torch.equal(f, draw_features(shape, width=96, seed=0)(x))
    assert not torch.equal(f, draw_features(shape, width=96, seed=1)(x))
    if len(shape) == 3:
        assert f.shape[1] == 1537


def test_predictions_are_the_largest_score():
    data = blobs(shape=(4,), counts=(30, 20))
    e, phi = as_set(data), draw_features((4,), width=96, seed=1)
    found = predict(phi, fit_ridge(phi, e.inputs, e.targets, e.weights), data.inputs)
    assert float((found == data.labels).double().mean()) > 0.9


@pytest.mark.parametrize("shape", SHAPES)
def test_a_teacher_says_what_the_regression_on_its_set_says(shape):
    part = as_set(blobs(shape=shape, counts=(9, 12, 5)))
    teacher = RidgeTeacher.of(part, seed=4)
    found = teacher(part.inputs)
    wanted = predict(teacher.phi, teacher.coefficients, part.inputs)
    assert torch.equal(found.argmax(dim=1), wanted)
    assert torch.equal(wanted, part.labels)
    assert torch.allclose(found.sum(dim=1), torch.ones(len(part)))
    assert found.min() > 0


def test_a_teacher_of_a_blend_is_unsure():
    part = as_set(blobs(shape=(1, 8, 8), counts=(9, 9)))
    teacher = RidgeTeacher.of(part, seed=4)
    first, second = part.inputs[part.labels == 0], part.inputs[part.labels == 1]
    sure = torch.cat([teacher(first)[:, 0], teacher(second)[:, 1]])
    blend = teacher((first + second) / 2)
    assert float(blend.max(dim=1).values.mean()) < float(sure.mean())
