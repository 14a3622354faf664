"""FedAF's side of a client: resampled networks, and the term that looks at global logits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from fdd_flower.config import DistillerConfig, ModelConfig
from fdd_flower.distillers.base import DISTILLERS, Guidance, Plan, usable_classes
from fdd_flower.distillers.objectives.guidance import LogitTerm
from fdd_flower.distillers.parts.clock import Clock
from fdd_flower.distillers.parts.pipeline import Job
from fdd_flower.distillers.parts.views import embedding_views, resample
from fdd_flower.models import build_model
from fdd_flower.rng import stream
from fdd_flower.training.class_logits import ClassLogits, unit_directions
from tests.conftest import blobs, plan_for

CFG = DistillerConfig(
    ipc=4, steps=5, networks=3, width=4, embedder="global", packing=1, group_size=0
)
DATA = blobs()
LOGITS = ClassLogits(
    3 * torch.randn(3, 3, generator=stream(0, "wanted")), torch.tensor([False, True, True])
)


def guided(logits: ClassLogits | None = LOGITS, *, weight: float = 0.8) -> Plan:
    plan = plan_for(DATA)
    model = build_model(
        ModelConfig(name="convnet", width=4, depth=2),
        feature_shape=plan.feature_shape,
        num_classes=3,
        seed=0,
    )
    guidance = Guidance(keep=0.9, weight=weight, projections=16, logits=logits)
    return replace(plan, model=model, guidance=guidance)


def job_of(plan: Plan) -> Job:
    parts, _ = usable_classes(DATA, CFG)
    return Job(cfg=CFG, data=DATA, plan=plan, parts=parts, start=None, seed=1, clock=Clock(60))


def test_resampling_is_a_share_of_the_weights_and_noise_of_their_own_scale():
    layer = torch.nn.Linear(200, 300)
    with torch.no_grad():
        layer.bias.zero_()
    before = layer.weight.detach().clone()
    resample(layer, 0.9, rng=stream(0, "noise"))
    noise = (layer.weight.detach() - 0.9 * before) / 0.1
    scale = float(before.square().mean().sqrt())
    assert float(noise.std()) == pytest.approx(scale, rel=0.02)
    assert float(noise.mean()) == pytest.approx(0, abs=0.02 * scale)
    assert not layer.bias.any()
    assert abs(float(torch.corrcoef(torch.stack([noise.flatten(), before.flatten()]))[0, 1])) < 0.02


def test_every_network_is_resampled_alike_on_every_client():
    plan = guided()
    assert plan.model is not None
    views = [embedding_views(CFG, plan, DATA, seed=seed, clock=Clock(60)) for seed in (0, 1)]
    for one, other in zip(*views, strict=True):
        for a, b, w in zip(
            one.network.parameters(),
            other.network.parameters(),
            plan.model.parameters(),
            strict=True,
        ):
            assert torch.equal(a, b)
            assert w.std() == 0 or not torch.equal(a, w)
    first, second = (dict(v.network.named_parameters())["head.weight"] for v in views[0][:2])
    assert not torch.equal(first, second)


def test_the_term_is_a_loop_over_the_classes_that_are_known():
    plan = guided()
    assert plan.model is not None
    job = job_of(plan)
    assert job.labels == [0, 1]  # class 2 is too small
    canvas = job.canvas(job.first_rows())
    losses = list(LogitTerm(job, canvas).losses())
    directions = unit_directions(3, 16, rng=stream(plan.seed, "projections", plan.round))
    found = plan.model(canvas.show(1)).mean(dim=0).detach()
    want = np.mean(
        [
            wasserstein_distance([float(found @ d)], [float(LOGITS.values[1] @ d)])
            for d in directions.T
        ]
    )
    assert [float(loss.detach()) for loss in losses] == [pytest.approx(0.8 * want, rel=1e-5)]
    losses[0].backward()
    assert canvas.rows.grad is not None
    assert not canvas.rows.grad[: canvas.sizes[0]].any()
    assert canvas.rows.grad[canvas.sizes[0] :].any()
    assert all(weight.grad is None for weight in plan.model.parameters())


@pytest.mark.parametrize("plan", [guided(None), guided(weight=0), plan_for(DATA)])
def test_there_is_no_term_without_logits_or_weight(plan):
    job = job_of(plan)
    assert list(LogitTerm(job, job.canvas(job.first_rows())).losses()) == []


def test_dm_brings_logits_nearer_to_those_of_all():
    cfg = replace(CFG, steps=40)
    distances = []
    for weight in (0.0, 50.0):
        plan = guided(weight=weight)
        assert plan.model is not None
        found = DISTILLERS.get("dm")(cfg).distill(DATA, plan=plan, start=None, rng=stream(0))
        rows = found.synthetic
        logits = plan.model(rows.inputs[rows.labels == 1]).mean(dim=0)
        distances.append(float((logits - LOGITS.values[1]).norm()))
    assert distances[1] < 0.8 * distances[0]
