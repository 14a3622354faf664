"""Near repetitions, against a plain loop."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fdd_flower.config import MergerConfig
from fdd_flower.mergers import dedupe
from fdd_flower.mergers.dedupe import Dedupe, first_of_their_kind
from tests.mergers.test_mergers_contract import part, stream


def by_loop(rows: np.ndarray, near: float) -> list[int]:
    kept: list[int] = []
    for place, row in enumerate(rows):
        if all(np.linalg.norm(row - rows[other]) > near for other in kept):
            kept.append(place)
    return kept


@pytest.mark.parametrize("near", [0.0, 0.3, 0.8, 5.0])
@pytest.mark.parametrize("tile", [1, 7, 512])
def test_it_is_the_loop(near: float, tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dedupe, "TILE", tile)
    rows = torch.rand(60, 3, generator=stream())
    rows[40:50] = rows[:10]
    assert first_of_their_kind(rows, near).tolist() == by_loop(rows.numpy(), near)


def test_a_copy_gains_nothing_and_the_first_stays() -> None:
    first, other = part((13,), 6, 0), part((13,), 4, 1)
    jitter = 0.01 * torch.randn(first.inputs.shape, generator=stream())
    copy = replace(first, inputs=first.inputs + jitter, weights=first.weights * 9)
    rule = Dedupe(MergerConfig(name="dedupe"))
    alone, merged = (rule.merge(p, rng=stream()) for p in ([first, other], [first, other, copy]))
    assert torch.equal(merged.inputs, alone.inputs)
    assert torch.equal(merged.weights, alone.weights)
    assert merged.origin is not None
    assert merged.origin.tolist() == [0] * 6 + [1] * 4


def test_rows_of_other_classes_are_no_repetition() -> None:
    one = part((13,), 1, 0)
    other = replace(one, targets=one.targets.roll(1, dims=1))
    assert len(Dedupe(MergerConfig(name="dedupe")).merge([one, other], rng=stream())) == 2
