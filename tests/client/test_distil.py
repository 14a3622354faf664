"""What a client draws: the same for the same round, and of its own in every other."""

from __future__ import annotations

from dataclasses import replace

import torch
from flwr.app import ArrayRecord, Context, RecordDict

from fdd_flower.client.distil import distilled_set
from fdd_flower.client.side import ClientSide
from fdd_flower.config import Config, DistillerConfig
from tests.conftest import blobs, plan_for


def rows(client: str = "3", round_: int = 1, seed: int = 0) -> torch.Tensor:
    """Return what a client that was started anew sends: random records, so all is chance."""
    data = blobs(counts=(60, 40, 30))
    cfg = replace(Config(), seed=seed, distiller=DistillerConfig(name="random", ipc=4))
    context = Context(run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config={})
    side = ClientSide(
        cfg=cfg,
        plan=plan_for(data, round_=round_),
        load=lambda: data,
        client=client,
        context=context,
        arrays=ArrayRecord(),
    )
    return distilled_set(side).synthetic.inputs


def test_a_draw_is_of_the_seed_the_client_and_the_round():
    assert torch.equal(rows(), rows())
    for other in (rows(client="4"), rows(round_=2), rows(seed=1), rows("31", 1), rows("3", 11)):
        assert not torch.equal(rows(), other)
    assert not torch.equal(rows("1", 23), rows("12", 3))
