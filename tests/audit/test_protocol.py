"""Coins decide who is in, and nothing else tells."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fdd_flower.audit.metrics import auc, tpr_at
from fdd_flower.audit.protocol import MISLABELLED, NATURAL, OUTLIER, draw_canaries
from fdd_flower.errors import DataError
from tests.conftest import blobs


def test_canaries_and_reference_share_no_record():
    records = blobs(counts=(100, 100))
    drawn, reference = draw_canaries(records, count=150, seed=3, odd=0.0)
    both = torch.cat([drawn.records.inputs, reference.inputs]).flatten(1)
    assert len(both.unique(dim=0)) == len(records)
    assert len(drawn.members) + len(drawn.others) == 150
    assert 40 < len(drawn.members) < 110


def test_some_canaries_are_odd_and_say_so():
    records = blobs(counts=(100, 100, 100))
    plain, _ = draw_canaries(records, count=200, seed=1, odd=0.0)
    drawn, _ = draw_canaries(records, count=200, seed=1)
    kinds = {kind: int((drawn.kind == kind).sum()) for kind in (NATURAL, MISLABELLED, OUTLIER)}
    assert kinds == {NATURAL: 160, MISLABELLED: 20, OUTLIER: 20}
    moved = (drawn.records.labels != plain.records.labels).numpy()
    assert (moved == (drawn.kind == MISLABELLED)).all()
    shuffled = (drawn.records.inputs != plain.records.inputs).flatten(1).any(1).numpy()
    assert (shuffled == (drawn.kind == OUTLIER)).all()
    assert torch.equal(
        drawn.records.inputs.flatten(1).sort(1).values,
        plain.records.inputs.flatten(1).sort(1).values,
    )


def test_too_many_canaries_leave_no_reference():
    with pytest.raises(DataError, match="--canaries"):
        draw_canaries(blobs(counts=(50, 50)), count=100, seed=0)


def test_metrics_are_those_of_a_loop_over_pairs():
    rng = np.random.default_rng(0)
    member = rng.random(300) < 0.5
    scores = np.round(rng.normal(0, 1, 300) + member, 1)
    pairs = [(a > b) + (a == b) / 2 for a in scores[member] for b in scores[~member]]
    assert auc(scores, member) == pytest.approx(np.mean(pairs))
    rates = [(scores[member] >= t).mean() for t in scores if (scores[~member] >= t).mean() <= 0.05]
    assert tpr_at(scores, member, 0.05) == pytest.approx(max(rates))
