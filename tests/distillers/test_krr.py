"""Kernel ridge regression against scikit-learn, and one-class clients with peers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge

from fdd_flower.config import DistillerConfig
from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.distillers.objectives.ridge import centred, sums_of
from fdd_flower.synthetic_set import SyntheticSet, concatenate
from tests.conftest import blobs, plan_for

CFG = DistillerConfig(name="krr", ipc=3, steps=30, networks=4, width=8, depth=1)


def test_the_loss_from_two_sums_is_that_of_scikit_learn_on_every_record():
    rng = torch.Generator().manual_seed(0)
    records, rows = torch.randn(50, 6, generator=rng), torch.randn(7, 6, generator=rng)
    targets, labels = torch.randn(50, 3, generator=rng), torch.randn(7, 3, generator=rng)
    weights = torch.rand(50, generator=rng)
    sums = sums_of(
        (records[i : i + 8], targets[i : i + 8], weights[i : i + 8]) for i in range(0, 50, 8)
    )
    penalty = 0.1
    alpha = penalty * float((rows @ rows.T).trace()) / 7
    options: dict[str, Any] = {"alpha": alpha, "kernel": "linear"}
    model = KernelRidge(**options).fit(rows.numpy(), labels.numpy())
    errors = np.square(model.predict(records.numpy()) - targets.numpy()).sum(axis=1)
    want = float((weights.numpy() * errors).sum())
    assert float(sums.loss(rows, labels, penalty)) == pytest.approx(want, rel=1e-3)


def test_centred_targets_of_each_row_sum_to_nothing():
    targets = torch.tensor([[1.0, 0, 0], [0.2, 0.3, 0.5]])
    torch.testing.assert_close(centred(targets).sum(dim=1), torch.zeros(2))


def _krr(data, cfg=CFG, peers: SyntheticSet | None = None) -> SyntheticSet:
    plan = dataclasses.replace(plan_for(data), peers=peers)
    rng = torch.Generator().manual_seed(0)
    return DISTILLERS.get("krr")(cfg).distill(data, plan=plan, start=None, rng=rng).synthetic


def _nearest_row_accuracy(part: SyntheticSet, data) -> float:
    nearest = torch.cdist(data.inputs.flatten(1), part.inputs.flatten(1)).argmin(dim=1)
    return float((part.labels[nearest] == data.labels).float().mean())


def test_learned_labels_keep_a_row_in_its_class():
    data = blobs(counts=(60, 60, 60))
    part = _krr(data)
    assert torch.allclose(part.targets.sum(dim=1), torch.ones(len(part)))
    assert float(part.targets.max(dim=1).values.min()) >= 0.5
    assert (part.targets > 0).all()


def test_clients_of_one_class_with_peers_classify_as_a_client_with_all_does():
    data = blobs(counts=(60, 60, 60))
    data = dataclasses.replace(
        data,
        inputs=data.inputs
        + 1.5 * torch.randn(data.inputs.shape, generator=torch.Generator().manual_seed(1)),
    )
    first = dataclasses.replace(CFG, name="kmeans")
    with_peers = dataclasses.replace(CFG, peers=True)
    alone = [
        dataclasses.replace(data, inputs=data.inputs[mine], labels=data.labels[mine])
        for mine in (data.labels == label for label in range(3))
    ]
    opening = []
    for share in alone:
        rng = torch.Generator().manual_seed(0)
        plan = plan_for(share)
        opening.append(
            DISTILLERS.get("kmeans")(first).distill(share, plan=plan, start=None, rng=rng).synthetic
        )
    parts = []
    for label, share in enumerate(alone):
        others = concatenate([part for i, part in enumerate(opening) if i != label])
        part = _krr(share, with_peers, others)
        assert set(part.labels.tolist()) == {label}
        parts.append(part)
    together = _nearest_row_accuracy(concatenate(parts), data)
    assert together >= _nearest_row_accuracy(_krr(data), data) - 0.05
    assert together > 0.8
