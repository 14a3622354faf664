"""What chooses a threshold, and the reason where nothing does."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch

from fdd_flower.config import Config, EvaluationConfig, StrategyConfig, TrainingConfig
from fdd_flower.distillers.base import Plan
from fdd_flower.ledger import Ledger
from fdd_flower.mergers.prior import claimed_counts, under_prior
from fdd_flower.methods.base import STRATEGIES
from fdd_flower.schema import Normalisation
from fdd_flower.server.measuring.thresholds import cannot_choose, choosing_rows
from fdd_flower.server.side import ServerSide
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.metrics import Choosing

PLAN = Plan(
    round=1,
    seed=0,
    nonce="n",
    classes=("fine", "bad"),
    feature_shape=(3,),
    normalisation=Normalisation(mean=(0.0,) * 3, std=(1.0,) * 3),
)


def rows(labels: list[int]) -> SyntheticSet:
    rng = torch.Generator().manual_seed(0)
    return SyntheticSet(
        inputs=torch.randn(len(labels), 3, generator=rng),
        targets=torch.eye(2)[torch.tensor(labels)],
        weights=torch.ones(len(labels)),
    )


def side(merged: SyntheticSet | None, evaluation: EvaluationConfig, **more: object) -> ServerSide:
    cfg = Config(evaluation=evaluation, training=TrainingConfig(steps=2))
    return ServerSide(cfg=cfg, ledger=cast(Ledger, None), merged=merged, **({"plan": PLAN} | more))  # pyright: ignore[reportArgumentType]


RECALL, PRECISION = EvaluationConfig(recall=0.5), EvaluationConfig(precision=0.5)


@pytest.mark.parametrize(
    ("merged", "asked", "why"),
    [
        (None, RECALL, "the run made none"),
        (rows([0, 0, 0, 1]), RECALL, "1 row of bad"),
        (rows([0, 0, 0, 0]), RECALL, "0 rows of bad"),
        (rows([0, 0, 1, 1]), PRECISION, "how frequent the classes are"),
    ],
)
def test_a_reason_stands_for_what_cannot_be_chosen(
    merged: SyntheticSet | None, asked: EvaluationConfig, why: str
):
    found = choosing_rows(side(merged, asked), "logistic", 1, 1)
    assert isinstance(found, str)
    assert why in found
    assert "most probable class; " in found  # what happens instead, and then the remedy


def test_for_a_precision_classes_are_as_frequent_as_is_known():
    merged = rows([0, 0, 0, 1, 1])
    prior = replace(PLAN, columns=(), label="", prior=(0.75, 0.25))
    cases = [
        (side(merged, PRECISION, claimed=(90.0, 10.0)), 0.1),
        (side(merged, PRECISION, claimed=(90.0, 10.0), plan=prior), 0.25),
        (side(merged, RECALL, claimed=(90.0, 10.0)), 0.4),  # a recall does not depend on it
    ]
    for one, share in cases:
        found = choosing_rows(one, "logistic", 1, 1)
        assert isinstance(found, Choosing)
        assert found.weights @ found.own / found.weights.sum() == pytest.approx(share)
        np.testing.assert_array_equal(found.own, [0, 0, 0, 1, 1])


def test_counts_are_those_that_the_clients_claim():
    one, other = rows([0, 1, 1]), rows([0, 0])
    one = replace(one, weights=torch.tensor([5.0, 1.0, 2.0]))
    assert claimed_counts([one, other]) == (7.0, 3.0)
    nobody = claimed_counts([other])  # a rule that has rows of a class all the same keeps them
    assert under_prior(rows([0, 1]), nobody).weights.min() > 0


@pytest.mark.parametrize("name", ["fedavg", "scaffold", "dynafed", "fedlgd", "fdd", "sketch"])
def test_it_is_said_first_where_no_run_of_a_strategy_can_choose(name: str):
    cfg = Config(evaluation=RECALL, strategy=StrategyConfig(name=name))
    why = cannot_choose(cfg, STRATEGIES.get(name))
    assert ("strategy.name=" + name in why) == (name not in ("fdd", "sketch"))
    assert cannot_choose(replace(cfg, evaluation=EvaluationConfig()), STRATEGIES.get(name)) == ""
