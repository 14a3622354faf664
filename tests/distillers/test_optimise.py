"""The loop: its time budget, what it does at a loss that is not finite, and the codec inside."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch

from fdd_flower.config import CodecConfig, DistillerConfig
from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.distillers.objectives import matching
from fdd_flower.distillers.objectives.moments import mismatch
from fdd_flower.distillers.parts.canvas import Canvas
from fdd_flower.distillers.parts.clock import Clock
from fdd_flower.distillers.parts.optimise import NonFiniteError, optimise
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.optimisers import Adam
from fdd_flower.wire.codecs.base import CODECS
from tests.conftest import blobs, plan_for


def _canvas(**options: object) -> Canvas:
    rows = [torch.zeros(2, 1, 4, 4), torch.ones(3, 1, 4, 4)]
    return Canvas(rows, [0, 1], num_classes=2, **options)  # type: ignore[arg-type]


def test_it_reaches_the_minimum_of_a_quadratic_class_by_class():
    canvas = _canvas()

    def objective(step: int) -> Iterator[torch.Tensor]:
        yield (canvas.show(0) - 0.3).square().sum()
        yield (canvas.show(1) + 0.2).square().sum()

    optimise(canvas, objective, DistillerConfig(steps=300), clock=Clock(60))
    first, second = canvas.rows.detach().split(canvas.sizes)
    torch.testing.assert_close(first, torch.full_like(first, 0.3), atol=1e-3, rtol=0)
    torch.testing.assert_close(second, torch.full_like(second, -0.2), atol=1e-3, rtol=0)


def test_a_loss_that_is_not_finite_keeps_the_rows_that_were():
    canvas, seen = _canvas(), []

    def objective(step: int) -> Iterator[torch.Tensor]:
        seen.append(canvas.rows.detach().clone())
        yield canvas.show_all().sum() * (float("nan") if step == 3 else 1.0)

    cfg = DistillerConfig(name="dm", steps=10)
    with pytest.raises(NonFiniteError, match=r"dm loss at step 3.*distiller\.learning-rate") as e:
        optimise(canvas, objective, cfg, clock=Clock(60))
    assert torch.equal(torch.cat(e.value.rows), seen[2])


@pytest.mark.parametrize("steps", [4, 6])
@pytest.mark.parametrize("codec", [None, "uint8"])
def test_rows_that_a_step_makes_infinite_are_never_returned(steps, codec, monkeypatch):
    # Step 3 is the last of 4; of 6 the codec, which refuses such rows, comes before the next loss.
    monkeypatch.setattr("fdd_flower.distillers.parts.canvas.REFRESH", 1)
    canvas = _canvas(codec=CODECS.get(codec)(CodecConfig(name=codec)) if codec else None)
    moved = []

    def objective(step: int) -> Iterator[torch.Tensor]:
        moved.append(canvas.rows.detach().clone())
        shown = canvas.show_all()
        # finite at zero, where its slope is not
        yield (shown * 0).sqrt().sum() if step == 3 else shown.sum()

    cfg = DistillerConfig(name="dm", steps=steps)
    with pytest.raises(NonFiniteError, match=r"dm rows after step 3: expected finite") as e:
        optimise(canvas, objective, cfg, clock=Clock(60))
    assert torch.equal(torch.cat(e.value.rows), moved[3])
    assert bool(torch.isfinite(moved[3]).all())


@pytest.mark.parametrize("codec", [None, "uint8"])
def test_rows_that_no_codec_takes_end_it_with_those_before(codec):
    canvas = _canvas(codec=CODECS.get(codec)(CodecConfig(name=codec)) if codec else None)

    def objective(step: int) -> Iterator[torch.Tensor]:
        yield -canvas.show_all().sum()

    cfg = DistillerConfig(name="dm", steps=9, learning_rate=4000.0)
    with pytest.raises(NonFiniteError, match=r"rows after step 2: expected values within") as e:
        optimise(canvas, objective, cfg, clock=Clock(60))
    assert 5000 < float(torch.cat(e.value.rows).max()) <= 1e4


def test_what_is_optimised_beside_the_rows_is_looked_at_too():
    canvas, logits = _canvas(), torch.zeros(3, requires_grad=True)

    def objective(step: int) -> Iterator[torch.Tensor]:
        yield canvas.show_all().sum() + logits.sqrt().sum()

    with pytest.raises(NonFiniteError, match="rows after step 0"):
        optimise(canvas, objective, DistillerConfig(steps=1), clock=Clock(60), extra=[logits])


@pytest.mark.parametrize("changes", [{"codec_aware": True}, {"name": "krr", "peers": True}])
def test_a_last_step_that_overflows_leaves_the_set_before_it(changes, monkeypatch):
    data, codec = blobs(counts=(60, 40)), CODECS.get("uint8")(CodecConfig(name="uint8"))
    plan = dataclasses.replace(plan_for(data), codec=codec)

    def distil(**settings: object) -> SyntheticSet:
        cfg = dataclasses.replace(DistillerConfig(ipc=3, steps=1, networks=1, width=4), **settings)
        rng = torch.Generator().manual_seed(0)
        distiller = DISTILLERS.get(cfg.name)(cfg)
        return distiller.distill(data, plan=plan, start=None, rng=rng).synthetic

    def overflow(adam: Adam, rate: float) -> None:
        for weight in adam._parameters:
            weight.data.fill_(float("inf"))

    start = distil(name="kmeans")
    plan = dataclasses.replace(plan, peers=start)
    monkeypatch.setattr(Adam, "step", overflow)
    with pytest.raises(NonFiniteError, match="rows after step 0") as caught:
        distil(**changes)
    assert caught.value.kept is not None
    assert torch.equal(caught.value.kept.inputs, start.inputs)


def test_the_set_before_a_bad_step_is_kept_as_a_finished_one(monkeypatch):
    data = blobs(counts=(60, 40))
    calls = iter(range(1000))

    def breaks_in_step_two(features, real):
        return mismatch(features, real) * (float("inf") if next(calls) == 5 else 1.0)

    monkeypatch.setattr(matching, "mismatch", breaks_in_step_two)
    cfg = DistillerConfig(ipc=3, steps=5, networks=1, width=4)
    rng = torch.Generator().manual_seed(0)
    with pytest.raises(NonFiniteError, match="dm loss at step 2") as caught:
        DISTILLERS.get("dm")(cfg).distill(data, plan=plan_for(data), start=None, rng=rng)
    assert caught.value.kept is not None
    assert set(caught.value.kept.labels.tolist()) == {0, 1}


def test_the_rate_falls_to_nothing_as_the_time_runs_out(monkeypatch):
    canvas, moved = _canvas(), []
    clock = Clock(10.0)
    ticks = iter([0.0, 2.5, 5.0, 7.5, 9.9, 10.0])
    monkeypatch.setattr(Clock, "elapsed", property(lambda self: next(ticks)))

    def objective(step: int) -> Iterator[torch.Tensor]:
        moved.append(canvas.rows.detach().clone())
        yield canvas.show_all().sum()

    optimise(canvas, objective, DistillerConfig(steps=1000, learning_rate=1.0), clock=clock)
    moved.append(canvas.rows.detach())
    lengths = [float((b - a).abs().max()) for a, b in pairwise(moved)]
    assert len(lengths) == 5
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] < 0.01


def test_what_is_shown_is_what_the_codec_gives_back():
    codec = CODECS.get("uint8")(CodecConfig(name="uint8"))
    rows = [torch.rand(2, 1, 4, 4), torch.rand(3, 1, 4, 4)]
    canvas = Canvas(rows, [0, 1], num_classes=2, codec=codec)
    canvas.through_codec(0)
    lo, hi = float(torch.cat(rows).min()), float(torch.cat(rows).max())
    steps = (canvas.show_all().detach() - lo) / (hi - lo) * 255
    torch.testing.assert_close(steps, steps.round(), atol=1e-2, rtol=0)
    assert not torch.equal(canvas.show_all(), torch.cat(rows))
    canvas.show_all().sum().backward()
    assert canvas.rows.grad is not None
    assert bool((canvas.rows.grad == 1).all())


def test_a_local_teacher_and_trained_networks_leave_time_for_the_rows(monkeypatch):
    monkeypatch.setattr("fdd_flower.distillers.parts.labels.TEACHER_STEPS", 100_000)
    data = blobs(counts=(200, 200), shape=(1, 16, 16))
    cfg = DistillerConfig(
        ipc=2,
        steps=1_000_000,
        networks=1000,
        width=16,
        seconds=2.0,
        embedder="trained",
        labels="local",
        embedder_steps=100_000,
    )
    started = time.monotonic()
    rng = torch.Generator().manual_seed(0)
    part = DISTILLERS.get("dm")(cfg).distill(data, plan=plan_for(data), start=None, rng=rng)
    assert time.monotonic() - started < 30  # without it: days
    assert float((part.synthetic.targets.max(dim=1).values < 1).float().mean()) > 0


def test_a_budget_that_does_not_bind_leaves_the_schedule_to_the_steps(monkeypatch):
    clock = Clock(100.0)
    ticks = iter([3.0, 3.5, 4.0])
    monkeypatch.setattr(Clock, "elapsed", property(lambda self: next(ticks)))
    assert [clock.progress(step, 10) for step in range(3)] == [0.0, 0.1, 0.2]


def test_steps_leave_the_time_that_is_kept_for_labels(monkeypatch):
    clock = Clock(100.0)
    clock.keep(0.25)
    ticks = iter([0.0, 30.0, 60.0, 75.0])
    monkeypatch.setattr(Clock, "elapsed", property(lambda self: next(ticks)))
    assert [clock.progress(step, 10) for step in range(4)] == [0.0, 0.4, 0.8, 1.0]
