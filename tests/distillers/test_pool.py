"""Networks of several families in one pool."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from fdd_flower.config import DistillerConfig
from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.distillers.parts.clock import Clock
from fdd_flower.distillers.parts.options import check_options
from fdd_flower.distillers.parts.views import embedding_views
from fdd_flower.errors import ConfigError
from tests.conftest import blobs, plan_for

POOL = "convnet, random-features,logistic"
CFG = DistillerConfig(
    name="dm", ipc=2, steps=3, networks=5, width=4, depth=1, embedder_steps=4, pool=POOL
)


def families(cfg: DistillerConfig, shape: tuple[int, ...] = (1, 8, 8)) -> list[str]:
    data = blobs(shape=shape)
    views = embedding_views(cfg, plan_for(data), data, seed=0, clock=Clock(60))
    return [type(view.network).__name__ for view in views]


def test_families_take_turns():
    assert families(CFG) == ["ConvNet", "RandomFeatures", "Logistic", "ConvNet", "RandomFeatures"]


def test_a_training_run_is_of_one_family_and_the_next_of_another():
    cfg = dataclasses.replace(CFG, networks=7, embedder="trained", embedder_steps=30)
    assert families(cfg) == ["ConvNet"] * 4 + ["RandomFeatures"] * 3


def test_auto_fits_every_kind_of_record():
    cfg = dataclasses.replace(CFG, pool="auto", networks=1)
    assert families(cfg) == ["ConvNet"]
    assert families(cfg, (4,)) == ["Mlp"]


@pytest.mark.parametrize("name", ["dm", "ncfm", "krr", "dc", "dsa"])
def test_every_optimising_distiller_takes_a_mixed_pool(name):
    data, cfg = blobs(shape=(1, 8, 8)), dataclasses.replace(CFG, name=name)
    found = DISTILLERS.get(name)(cfg).distill(
        data, plan=plan_for(data), start=None, rng=torch.Generator().manual_seed(0)
    )
    assert bool(torch.isfinite(found.synthetic.inputs).all())


@pytest.mark.parametrize(
    ("pool", "shape"),
    [("convnet,what", (1, 8, 8)), ("convnet", (4,)), ("", (4,)), ("cnn", (1, 8, 8))],
)
def test_a_pool_that_does_not_fit_is_refused_by_name(pool, shape):
    with pytest.raises(ConfigError, match=r"distiller\.pool"):
        check_options(dataclasses.replace(CFG, pool=pool), shape, rounds=1)
