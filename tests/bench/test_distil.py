"""One client, or one a class: a class-wise method gives the same bits."""

from __future__ import annotations

import pytest
import torch

from fdd_flower.bench.distil.whole_set import distil
from fdd_flower.bench.records import load_material, make_plan
from fdd_flower.config import Config, DistillerConfig
from fdd_flower.errors import DistillError
from fdd_flower.synthetic_set import concatenate
from tests.bench.conftest import small
from tests.conftest import blobs, plan_for


@pytest.mark.parametrize("name", ["kmeans", "random", "herding"])
def test_a_class_wise_method_gives_the_same_bits(name):
    data = blobs(counts=(60, 40, 30))
    cfg = Config(distiller=DistillerConfig(name=name, ipc=3, width=4))
    one, each = (
        distil(cfg, data, plan=plan_for(data), seed=4, single_class=single)
        for single in (False, True)
    )
    assert len(each.sent) == 3
    joined = concatenate([part.synthetic for part in each.sent])
    whole = one.sent[0].synthetic
    assert torch.equal(joined.inputs, whole.inputs)
    assert torch.equal(joined.targets, whole.targets)
    assert torch.equal(joined.weights, whole.weights)


def test_a_small_class_is_withheld_either_way():
    data = blobs(counts=(60, 40, 3))
    cfg = Config(distiller=DistillerConfig(name="kmeans", ipc=3))
    for single in (False, True):
        found = distil(cfg, data, plan=plan_for(data), seed=4, single_class=single)
        assert found.withheld == ("c",)


def test_only_small_classes_are_an_error():
    data = blobs(counts=(3, 2))
    with pytest.raises(DistillError):
        distil(Config(), data, plan=plan_for(data), seed=4, single_class=True)


def test_held_out_records_are_training_records_that_are_not_distilled():
    cfg = small().cfg
    plain, held = (load_material(cfg, holdout=h) for h in (False, True))
    assert len(held.test) == -(-len(plain.train) // 10)
    assert len(held.train) + len(held.test) == len(plain.train)
    rows = {row.numpy().tobytes() for row in plain.train.inputs}
    assert {row.numpy().tobytes() for row in held.test.inputs} <= rows
    shares = torch.bincount(held.test.labels) / torch.bincount(plain.train.labels)
    assert float((shares - 0.1).abs().max()) < 0.02


def test_a_limit_draws_so_many():
    material = load_material(small().cfg, holdout=False, limit=200)
    assert len(material.train) == 200
    assert make_plan(small().cfg, material.dataset, 3).classes == material.train.classes
