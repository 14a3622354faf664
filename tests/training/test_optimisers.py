"""Optimisers without torch's classes: the same bits, and no compiler."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from fdd_flower.training.optimisers import Adam, Sgd

RATES = [0.05 * (1 - step / 12) for step in range(12)]
CASES = {
    "adam": (lambda p: Adam(p), lambda p: torch.optim.Adam(p)),
    "adamw": (lambda p: Adam(p, decay=0.01), lambda p: torch.optim.AdamW(p, weight_decay=0.01)),
    "sgd": (lambda p: Sgd(p), lambda p: torch.optim.SGD(p, lr=1.0)),
    "momentum": (lambda p: Sgd(p, momentum=0.9), lambda p: torch.optim.SGD(p, lr=1, momentum=0.9)),
}


def _start() -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(3)
    return [torch.randn(shape, generator=rng).requires_grad_() for shape in ((5, 3), (4,))]


def _loss(parameters: list[torch.Tensor], step: int) -> torch.Tensor:
    first, second = parameters
    # the second one has no gradient in some steps
    return (first - 1).pow(4).sum() + (second.sin().sum() if step % 3 else 0)


@pytest.mark.parametrize("name", CASES)
def test_it_moves_as_the_class_of_torch_does(name: str):
    own, theirs = _start(), _start()
    ours, reference = CASES[name][0](own), CASES[name][1](theirs)
    for step, rate in enumerate(RATES):
        ours.clear()
        _loss(own, step).backward()
        ours.step(rate)
        reference.zero_grad(set_to_none=True)
        for group in reference.param_groups:
            group["lr"] = rate
        _loss(theirs, step).backward()
        reference.step()
        assert all(torch.equal(a, b) for a, b in zip(own, theirs, strict=True))
    assert not torch.equal(own[0], _start()[0])


def test_fused_adam_moves_as_adamw_does_but_for_rounding():
    own, theirs = _start(), _start()
    ours = Adam(own, decay=0.01, fused=True)
    reference = torch.optim.AdamW(theirs, weight_decay=0.01)
    for step, rate in enumerate(RATES):
        ours.clear()
        _loss(own, step).backward()
        ours.step(rate)
        reference.zero_grad(set_to_none=True)
        reference.param_groups[0]["lr"] = rate
        _loss(theirs, step).backward()
        reference.step()
    for a, b in zip(own, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


DISTIL = """
import sys
import torch
from fdd_flower.config import DistillerConfig, LocalConfig, ModelConfig, from_run_config
from fdd_flower.data import load_dataset
from fdd_flower.distillers.base import DISTILLERS, Plan
from fdd_flower.models import build_model
from fdd_flower.training.local import train_locally
data = load_dataset(from_run_config({}).data, seed=0)
split = data.split(data.test)
plan = Plan(round=1, seed=0, nonce="0" * 16, classes=data.classes,
            feature_shape=data.feature_shape, normalisation=data.normalisation)
cfg = DistillerConfig(steps=2, networks=1, width=4)
DISTILLERS.get(cfg.name)(cfg).distill(split, plan=plan, start=None, rng=torch.Generator())
model = build_model(ModelConfig(name="logistic"), feature_shape=data.feature_shape,
                    num_classes=10, seed=0)
train_locally(split, model, LocalConfig(), rng=torch.Generator())
print("torch._dynamo" in sys.modules)
"""


def test_a_client_never_imports_the_compiler():
    found = subprocess.run([sys.executable, "-c", DISTIL], capture_output=True, text=True)
    assert found.stdout.strip() == "False", found.stderr
