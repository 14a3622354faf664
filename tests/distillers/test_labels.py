"""Soft labels against closed forms."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from fdd_flower.config import DistillerConfig, ModelConfig
from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.distillers.parts.clock import Clock
from fdd_flower.distillers.parts.labels import soften, solved, taught, teacher_for, to_simplex
from fdd_flower.distillers.parts.packing import Packing
from fdd_flower.distillers.parts.views import TILE, View, random_views
from fdd_flower.models import build_model
from tests.conftest import blobs, plan_for

CFG = DistillerConfig(ipc=6, steps=2, networks=2, width=8, depth=1)


def _kmeans(data, cfg=CFG):
    cfg = dataclasses.replace(cfg, name="kmeans")
    rng = torch.Generator().manual_seed(0)
    return DISTILLERS.get("kmeans")(cfg).distill(data, plan=plan_for(data), start=None, rng=rng)


def test_the_simplex_projection_is_the_nearest_of_many_probabilities():
    rng = np.random.default_rng(0)
    rows = torch.tensor(rng.normal(size=(20, 4)))
    got = to_simplex(rows)
    torch.testing.assert_close(got.sum(dim=1), torch.ones(20, dtype=torch.double))
    assert float(got.min()) >= 0
    others = torch.tensor(rng.dirichlet([0.5] * 4, size=5000))
    nearest = torch.cdist(rows, others).min(dim=1).values
    assert bool(((rows - got).norm(dim=1) <= nearest + 1e-9).all())
    torch.testing.assert_close(to_simplex(got), got)


@pytest.mark.parametrize("shape", [(1, 8, 8), (13,)])
def test_solved_labels_are_those_of_least_squares_over_all_records(shape):
    data = blobs(shape=shape, counts=(60, 50, 40))
    synthetic = _kmeans(data).synthetic
    views = random_views(CFG, plan_for(data))
    got = solved(synthetic, data, views, packing=Packing(), penalty=1e-3, clock=Clock(60))
    got = got.double().numpy()
    # The same with real features held at once, and numpy's least squares on stacked rows.
    blocks, wanted = [], []
    for view in views:
        with torch.no_grad():
            real, rows = view.embed(data.inputs), view.embed(synthetic.inputs)
        real, rows = (np.hstack([x.double().numpy(), np.ones((len(x), 1))]) for x in (real, rows))
        kernel = rows @ rows.T
        kernel += 1e-3 * np.trace(kernel) / len(kernel) * np.eye(len(kernel))
        blocks.append(real @ rows.T @ np.linalg.inv(kernel))
        wanted.append(np.eye(3)[data.labels.numpy()] - 1 / 3)
    stacked, targets = np.vstack(blocks), np.vstack(wanted)
    ridge = np.sqrt(1e-3 * np.square(stacked).sum() / stacked.shape[1]) * np.eye(stacked.shape[1])
    answer, *_ = np.linalg.lstsq(
        np.vstack([stacked, ridge]), np.vstack([targets, np.zeros((len(ridge), 3))]), rcond=None
    )
    want = to_simplex(torch.tensor(answer) + 1 / 3).numpy()
    np.testing.assert_allclose(got, want, atol=1e-3)


def test_taught_labels_are_the_teacher_s_mean_over_a_row_s_images():
    teacher = build_model(ModelConfig(name="mlp"), feature_shape=(1, 8, 8), num_classes=3, seed=0)
    rows = torch.rand(5, 1, 8, 8)
    got = taught(rows, teacher, packing=Packing(2, "pixels"))
    for i in range(5):
        with torch.no_grad():
            logits = teacher(Packing(2, "pixels").images(rows[i : i + 1]))
        torch.testing.assert_close(got[i], logits.softmax(dim=1).mean(dim=0))


@pytest.mark.parametrize("labels", ["local", "ridge"])
def test_soft_labels_mostly_name_the_row_s_own_class(labels):
    data = blobs(counts=(200, 200, 200))
    far = torch.randn(data.inputs.shape, generator=torch.Generator().manual_seed(1))
    data = dataclasses.replace(data, inputs=data.inputs + 3 * far)  # classes that overlap
    cfg = dataclasses.replace(CFG, labels=labels)
    hard, soft = _kmeans(data).synthetic, _kmeans(data, cfg).synthetic
    assert torch.equal(hard.inputs, soft.inputs)
    assert float((soft.labels == hard.labels).float().mean()) > 0.8
    assert not torch.equal(soft.targets, hard.targets)


@pytest.mark.parametrize("labels", ["local", "ridge"])
def test_a_client_with_one_class_keeps_hard_labels(labels):
    data = blobs(counts=(60, 0, 0))
    synthetic = _kmeans(data).synthetic
    cfg = dataclasses.replace(CFG, labels=labels)
    plan = plan_for(data)
    clock = Clock(60)
    teacher = teacher_for(data, cfg=cfg, plan=plan, seed=0, clock=clock)
    assert teacher is None
    targets = soften(synthetic, data, teacher=teacher, cfg=cfg, plan=plan, clock=clock)
    assert torch.equal(targets, synthetic.targets)


class Ticking(Clock):
    """A clock on which each record that a view embeds takes a millisecond."""

    def __init__(self, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(seconds)
        self.records = 0
        original = View.embed

        def embed(view: View, inputs: torch.Tensor) -> torch.Tensor:
            self.records += len(inputs)
            return original(view, inputs)

        monkeypatch.setattr(View, "embed", embed)

    @property
    def elapsed(self) -> float:
        """Seconds by the records so far."""
        return self.records / 1000


@pytest.mark.parametrize(("seconds", "used"), [(60.0, 5), (1.0, 3), (0.3, 1), (0.1, 1)])
def test_labels_are_solved_by_the_views_and_records_that_there_is_time_for(
    seconds, used, monkeypatch
):
    data = blobs(counts=(100, 90, 80))  # in the order of their classes
    synthetic, seen = _kmeans(data).synthetic, []

    def views():
        for view in random_views(dataclasses.replace(CFG, networks=5), plan_for(data)):
            seen.append(view)
            yield view

    clock = Ticking(seconds, monkeypatch)
    targets = solved(synthetic, data, views(), packing=Packing(), penalty=1e-2, clock=clock)
    assert len(seen) - (used < 5) == used  # one is drawn and left where time is short
    assert clock.elapsed <= max(seconds, 2 * TILE / 1000) + len(synthetic) / 1000
    assert float((targets.argmax(dim=1) == synthetic.labels).float().mean()) > 0.9
