"""A finishing round that measures how far to go along the changes of the round before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from flwr.app import ArrayRecord
from torch import nn

from fdd_flower.config import Config, from_run_config, to_run_config
from fdd_flower.errors import ConfigError
from fdd_flower.server.checks import check_components
from fdd_flower.server.finish.fitted import STEEPEST
from fdd_flower.training.finish.fine_tune import Change
from fdd_flower.training.finish.fitted import (
    MOST,
    RECORDS,
    Directions,
    go,
    measured,
    number,
)
from fdd_flower.training.finish.sums import regression
from fdd_flower.wire.changes import directions_record, read_directions
from fdd_flower.wire.readout import read_sums, sums_record
from fdd_flower.wire.records import to_array_record, to_numpy
from fdd_flower.wire.refusals import Code, RefusedError
from tests.methods.test_end_to_end import rounds
from tests.server.test_forget import forgotten, holds_nothing_of
from tests.server.test_resume import settings_of, start

CLASSES, WIDE = 3, 6
FITTED = {
    "strategy.finish": "fine-tune",
    "strategy.finish-rounds": 2,
    "strategy.finish-step": "fitted",
    "num-server-rounds": 3,
}


class Two(nn.Module):
    """Logits that are linear in all parameters; two layers of weights and biases."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.one, self.other = nn.Linear(WIDE, CLASSES), nn.Linear(WIDE, CLASSES)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter *= 0.3

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.one(x) + self.other(x.square())


def sizes(model: nn.Module) -> list[int]:
    return [p.numel() for p in model.parameters()]


def flat(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def change(seed: int) -> Change:
    return Change.of(Two(0), Two(seed), records=10, rng=rng(seed))


def directions(count: int = 2) -> Directions:
    parts = [(1.0, change(seed)) for seed in range(1, count + 1)]
    return Directions.of(parts, sizes(Two()), rng=rng())


def records(count: int = 90, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    inputs = torch.randn(count, WIDE, generator=rng(seed))
    return inputs, (inputs[:, :CLASSES] + 0.5 * inputs[:, CLASSES:]).argmax(dim=1)


def test_each_layer_of_each_change_is_a_direction():
    found = directions().along(Two())
    assert [list(way) for way in found] == 2 * [
        ["one.weight", "one.bias"],
        ["other.weight", "other.bias"],
    ]
    assert len(found) == number(Two(), 2)
    for i, seed in enumerate((1, 2)):
        parts = [part for way in found[2 * i : 2 * i + 2] for part in way.values()]
        assert [part.shape for part in parts] == [p.shape for p in Two().parameters()]
        whole = change(seed).dense(sizes(Two())).float()
        assert torch.allclose(torch.cat([part.flatten() for part in parts]), whole, atol=1e-6)


def test_of_many_parties_those_with_like_changes_share_one():
    parts = [(1.0 + seed % 2, change(seed)) for seed in range(1, MOST + 1)]
    again = Directions.of([*parts, *parts], sizes(Two()), rng=rng())
    assert len(again.codes) == MOST

    def lengths(of: Directions) -> list[float]:
        return sorted(sum(float(p.square().sum()) for p in w.values()) for w in of.along(Two()))

    np.testing.assert_allclose(lengths(again), lengths(directions(MOST)), rtol=0.05)


def test_a_change_of_nothing_is_no_direction():
    still = replace(change(1), codes=torch.zeros_like(change(1).codes))
    many = [(0.0, still), *((1.0, change(seed)) for seed in range(1, MOST + 2))]
    found = Directions.of(many, sizes(Two()), rng=rng())
    assert len(found.codes) == MOST
    assert bool(found.codes.any(dim=1).all())
    alone = Directions.of([(1.0, still)], sizes(Two()), rng=rng())
    sums = [(1.0, measured(Two(), alone.along(Two()), *records(), rng=rng()))]
    model = Two()
    go(model, alone.along(model), -regression(sums)[:, 0], longest=1.0)
    assert torch.equal(flat(model), flat(Two()))


def test_slope_and_curvature_are_those_of_the_mean_loss():
    model, (inputs, labels) = Two(), records()
    ways = directions().along(model)
    rows = torch.stack(
        [
            torch.cat(
                [way.get(n, torch.zeros(p.shape)).flatten() for n, p in model.named_parameters()]
            )
            for way in ways
        ]
    ).double()
    here, model = flat(model).double(), model.double()

    def loss(amounts: torch.Tensor) -> torch.Tensor:
        w, b, v, c = (here + amounts @ rows).split(sizes(model))
        logits = inputs.double() @ w.view(CLASSES, WIDE).T + b
        logits = logits + inputs.double().square() @ v.view(CLASSES, WIDE).T + c
        return F.cross_entropy(logits, labels)

    none = torch.zeros(4, dtype=torch.float64)
    slope = torch.func.grad(loss)(none)
    curve = torch.autograd.functional.hessian(loss, none)
    assert isinstance(curve, torch.Tensor)
    found = measured(model, ways, inputs.double(), labels, rng=rng()).dense()
    # a byte each, and of lengths that float16 holds
    np.testing.assert_allclose(found[0], curve, atol=0.02 * float(curve.diagonal().max()))
    np.testing.assert_allclose(found[1][:, 0], slope, atol=0.02 * float(slope.abs().max()))


def test_where_the_model_is_surely_wrong_its_reply_is_taken():
    model = Two()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 40
    inputs = records()[0]
    with torch.no_grad():
        worst = model(inputs).argmin(dim=1)
    sums = measured(model, directions().along(model), inputs, worst, rng=rng())
    assert read_sums(sums_record(sums), 4, 1, tolerance=STEEPEST)


def test_it_looks_at_no_more_records_than_it_says():
    inputs, labels = records(RECORDS + 200)
    drawn = torch.randperm(len(inputs), generator=rng())
    inputs[drawn[RECORDS:]] = torch.nan
    found = measured(Two(), directions().along(Two()), inputs, labels, rng=rng())
    assert bool(torch.isfinite(found.dense()[0]).all())
    assert int(found.records) == RECORDS + 200


@pytest.mark.parametrize("split", ["alike", "a class each"])
def test_the_step_is_best_for_all_records_whoever_holds_them(split):
    inputs, labels = records(900)
    order = torch.arange(900) if split == "alike" else labels.argsort(stable=True)
    model, ways = Two(), directions(4).along(Two())
    sums = [
        (float(len(i)), measured(model, ways, inputs[i], labels[i], rng=rng(k)))
        for k, i in enumerate(order.chunk(3))
    ]

    def loss(to: nn.Module) -> float:
        with torch.no_grad():
            return float(F.cross_entropy(to(inputs), labels))

    before, amounts = loss(model), -regression(sums)[:, 0]
    go(model, ways, amounts, longest=100.0)
    fitted = loss(model)
    assert fitted < before - 0.05
    # no worse than any one amount of all changes together
    for amount in (0.25, 0.5, 1.0, 1.5):
        other = Two()
        go(other, ways, torch.full((len(ways),), amount / 4), longest=100.0)
        assert fitted < loss(other) + 0.01


def test_the_step_is_no_longer_than_allowed():
    model, ways = Two(), directions().along(Two())
    before = flat(model)
    go(model, ways, torch.full((4,), 1e6), longest=0.5)
    assert float((flat(model) - before).norm()) == pytest.approx(0.5, rel=1e-4)


def test_both_messages_come_back_as_they_were_sent():
    sent = directions()
    back = read_directions(directions_record(sent), sizes(Two()))
    assert torch.equal(back.codes, sent.codes)
    assert torch.equal(back.steps, sent.steps)
    sums = measured(Two(), sent.along(Two()), *records(), rng=rng())
    again = read_sums(sums_record(sums), 4, 1, tolerance=STEEPEST)
    assert all(torch.equal(a, b) for a, b in zip(again.dense(), sums.dense(), strict=True))


def test_a_slope_that_no_records_have_is_refused():
    sums = measured(Two(), directions().along(Two()), *records(), rng=rng())
    for times in ([1.0, 1e3], [1.0, 1e20], [1e20, 1.0]):  # whatever its codes, a step is bounded
        steep = replace(
            sums,
            steps=sums.steps * torch.tensor(times),
            second=sums.second * (times[0] == 1),
        )
        with pytest.raises(RefusedError) as caught:
            read_sums(sums_record(steep), 4, 1, tolerance=STEEPEST)
        assert caught.value.code == Code.RANGE


def test_one_direction_is_enough():
    model = nn.Linear(WIDE, CLASSES)
    part = Change.of(nn.Linear(WIDE, CLASSES), model, records=10, rng=rng())
    for parts in ([(1.0, part)], [(1.0, part), (2.0, part)]):
        ways = Directions.of(parts, sizes(model), rng=rng()).along(model)
        sums = measured(model, ways, *records(), rng=rng())
        assert bool(torch.isfinite(regression([(1.0, sums)])).all())


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("codes", np.zeros(9, np.uint8), Code.UNDECODABLE),
        ("steps", np.ones((2, 3), np.float32), Code.SHAPE),
        ("steps", np.ones((MOST + 1, 4), np.float32), Code.SHAPE),
        ("steps", np.zeros((2, 4), np.float32), Code.RANGE),
    ],
)
def test_directions_that_no_changes_make_are_refused(name, value, code):
    good = to_numpy(directions_record(directions()), max_bytes=10**6)
    with pytest.raises(RefusedError) as caught:
        read_directions(to_array_record({**good, name: value}), sizes(Two()))
    assert caught.value.code == code
    with pytest.raises(RefusedError):
        read_directions(ArrayRecord(), sizes(Two()))


def test_a_run_goes_on_from_the_mean_and_forgetting_falls_back(tmp_path: Path):
    settings = settings_of(tmp_path / "run") | FITTED | {"training.start": "scratch"}
    start(settings)
    rows = rounds(tmp_path / "run")
    mean = settings | {"strategy.finish-step": "mean", "output.dir": str(tmp_path / "mean")}
    start(mean)
    other = rounds(tmp_path / "mean")
    assert [row["loss"] for row in rows[:2]] == [row["loss"] for row in other[:2]]
    assert rows[2]["loss"] < rows[1]["loss"]
    assert rows[2]["loss"] != other[2]["loss"]
    assert "exact up to round 1; what clients sent in round 2" in forgotten(
        tmp_path / "run", "1", tmp_path / "new"
    )
    assert len(rounds(tmp_path / "new")) == 1
    assert holds_nothing_of(tmp_path / "new", "1", tmp_path / "run")


@pytest.mark.parametrize(
    "changes",
    [{"strategy.finish": "readout"}, {"strategy.finish": "none"}, {"strategy.name": "fedavg"}],
)
def test_where_it_has_no_place_it_is_refused(changes):
    settings = {"strategy.finish-step": "fitted", "num-server-rounds": 2}
    cfg = from_run_config(to_run_config(Config()) | settings | changes)
    with pytest.raises(ConfigError, match=r"strategy\.finish-step"):
        check_components(cfg)


def test_it_needs_two_rounds(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"strategy\.finish-rounds: expected at least 2"):
        start(settings_of(tmp_path / "run") | FITTED | {"strategy.finish-rounds": 1})
    assert not (tmp_path / "run").exists()
