"""Two objectives at once: each of them is there, and nothing else."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from fdd_flower.config import DistillerConfig
from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.distillers.objectives.ridge import centred, features, sums_of
from fdd_flower.distillers.parts.views import random_view
from fdd_flower.errors import DistillError
from fdd_flower.synthetic_set import SyntheticSet
from tests.conftest import blobs, plan_for

CFG = DistillerConfig(name="dm-krr", ipc=2, steps=40, networks=3, width=8, depth=1, ridge=0.1)


def distil(data, **changes) -> SyntheticSet:
    cfg = dataclasses.replace(CFG, **changes)
    rng = torch.Generator().manual_seed(0)
    found = DISTILLERS.get(cfg.name)(cfg).distill(data, plan=plan_for(data), start=None, rng=rng)
    return found.synthetic


def residual(part: SyntheticSet, data) -> float:
    """Return the squared residual of ridge regression under features that no distiller saw."""
    cfg = dataclasses.replace(CFG, pool="random-features", width=48)
    view = random_view(cfg, plan_for(data), 1000)
    targets = centred(torch.nn.functional.one_hot(data.labels, 3).float())
    shares = torch.full((len(data),), 1 / len(data))
    sums = sums_of([(features(view, data.inputs), targets, shares)])
    return float(sums.loss(features(view, part.inputs), centred(part.targets), 0.1))


@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 20)])
def test_without_the_kernel_the_rows_are_those_of_dm(shape):
    data = blobs(shape=shape)
    both = distil(data, kernel_weight=0.0)
    assert torch.equal(both.inputs, distil(data, name="dm").inputs)


def test_the_kernel_fits_records_better_than_matching_alone():
    data = blobs(shape=(1, 8, 8), counts=(60, 60, 60))
    assert residual(distil(data), data) < 0.9 * residual(distil(data, name="dm"), data)


def test_labels_are_learned_and_keep_a_row_in_its_class():
    part = distil(blobs(counts=(60, 60, 60)))
    assert float(part.targets.max(dim=1).values.min()) >= 0.5
    assert not torch.equal(part.targets, part.targets.round())


def test_one_class_alone_is_refused():
    with pytest.raises(DistillError, match=r"dm-krr .*distiller\.peers"):
        distil(blobs(counts=(60, 0, 0)))
