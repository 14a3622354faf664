"""How columns go together: against numpy, and what the term is worth."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fdd_flower.config import DistillerConfig
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import ClassRecords
from fdd_flower.distillers.dm import DistributionMatching
from fdd_flower.distillers.objectives import pairs
from fdd_flower.distillers.objectives.pairs import PairTerm
from fdd_flower.distillers.parts.canvas import Canvas
from fdd_flower.distillers.parts.clock import Clock
from fdd_flower.distillers.parts.pipeline import Job
from tests.conftest import blobs, plan_for


def _job(data: Split) -> Job:
    parts = [
        ClassRecords(label=label, inputs=data.inputs[data.labels == label], rows=4)
        for label in range(len(data.classes))
    ]
    return Job(
        cfg=DistillerConfig(),
        data=data,
        plan=plan_for(data),
        parts=parts,
        start=None,
        seed=0,
        clock=Clock(60.0),
    )


def test_the_loss_of_a_class_equals_numpy():
    data = blobs(shape=(6,), counts=(70, 150))
    rows = [torch.randn(4, 6), torch.randn(9, 6)]
    losses = list(PairTerm(_job(data), Canvas(rows, [0, 1], num_classes=2)).losses())
    for label, (loss, own) in enumerate(zip(losses, rows, strict=True)):
        real, own = data.inputs[data.labels == label].double().numpy(), own.double().numpy()
        apart = np.cov(own, rowvar=False, bias=True) - np.cov(real, rowvar=False, bias=True)
        want = (apart**2).sum() + ((own.mean(axis=0) - real.mean(axis=0)) ** 2).sum()
        assert float(loss.detach()) == pytest.approx(10 * want, rel=1e-4)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16)])
def test_only_a_table_has_columns(shape):
    data = blobs(shape=shape, counts=(20, 20))
    rows = [torch.randn(4, *shape), torch.randn(4, *shape)]
    assert not list(PairTerm(_job(data), Canvas(rows, [0, 1], num_classes=2)).losses())


def test_correlations_of_a_class_are_kept_better(monkeypatch):
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(160, 8)) @ rng.normal(size=(8, 8))
    inputs = torch.from_numpy((mixed - mixed.mean(axis=0)) / mixed.std(axis=0)).float()
    data = Split(inputs=inputs, labels=torch.arange(160) % 2, classes=("a", "b"))

    def apart(weight: float) -> float:
        monkeypatch.setattr(pairs, "WEIGHT", weight)
        cfg = DistillerConfig(ipc=10, networks=2, width=8)
        rng = torch.Generator().manual_seed(0)
        part = DistributionMatching(cfg).distill(data, plan=plan_for(data), start=None, rng=rng)
        rows, labels = part.synthetic.inputs.numpy(), part.synthetic.labels.numpy()
        return sum(
            np.abs(
                np.corrcoef(rows[labels == label], rowvar=False)
                - np.corrcoef(inputs[label::2].numpy(), rowvar=False)
            ).mean()
            for label in (0, 1)
        )

    assert apart(pairs.WEIGHT) < 0.95 * apart(0.0)
