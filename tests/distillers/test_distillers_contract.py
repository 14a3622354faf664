"""What every registered distiller must keep, whatever it does."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from fdd_flower.config import DistillerConfig, ModelConfig
from fdd_flower.distillers.base import DISTILLERS, declares, ignored_by
from fdd_flower.distillers.parts import clock, start
from fdd_flower.errors import ConfigError, DistillError
from fdd_flower.models import build_model
from tests.conftest import blobs, plan_for

SHAPES = [(1, 8, 8), (3, 12, 12), (13,), (2, 20)]
CFG = DistillerConfig(ipc=3, steps=4, networks=2, width=4, depth=2)


def _distil(name: str, cfg: DistillerConfig = CFG, **blob: object):
    data = blobs(**blob)  # type: ignore[arg-type]
    rng = torch.Generator().manual_seed(1)
    cfg = dataclasses.replace(cfg, name=name)
    return data, DISTILLERS.get(name)(cfg).distill(data, plan=plan_for(data), start=None, rng=rng)


@pytest.mark.parametrize("name", DISTILLERS.built_in())
@pytest.mark.parametrize("shape", SHAPES)
def test_any_feature_shape_gives_up_to_ipc_rows_of_each_usable_class(name, shape):
    _, distilled = _distil(name, shape=shape)
    part = distilled.synthetic
    assert part.feature_shape == shape
    assert part.num_classes == 3
    first, second, third = torch.bincount(part.labels, minlength=3).tolist()
    assert 1 <= first <= 3
    assert 1 <= second <= 3
    assert third == 0
    assert distilled.withheld == ("c",)
    # The rows of a class stand for all of its records, together.
    assert part.weights[part.labels == 0].sum() == pytest.approx(60)
    assert part.weights[part.labels == 1].sum() == pytest.approx(40)


@pytest.mark.parametrize("name", DISTILLERS.built_in())
def test_same_seed_same_bits(name):
    _, first = _distil(name)
    _, again = _distil(name)
    assert torch.equal(first.synthetic.inputs, again.synthetic.inputs)


@pytest.mark.parametrize("name", DISTILLERS.built_in())
def test_a_class_gets_at_most_one_row_for_min_records_records(name):
    _, distilled = _distil(
        name, DistillerConfig(ipc=50, steps=2, networks=1, width=4), counts=(33, 8)
    )
    four, one = torch.bincount(distilled.synthetic.labels).tolist()
    assert 1 <= four <= 4
    assert one == 1


@pytest.mark.parametrize("name", DISTILLERS.built_in())
def test_a_client_with_only_small_classes_is_refused(name):
    with pytest.raises(DistillError, match=r"'a'.*min-records = 8; got 7"):
        _distil(name, counts=(7, 5))


CLASS_WISE = [name for name in DISTILLERS.built_in() if not declares(name, "joint")]
JOINT = [name for name in DISTILLERS.built_in() if declares(name, "joint")]


@pytest.mark.parametrize("name", JOINT)
def test_a_joint_method_on_one_class_names_what_it_lacks(name):
    with pytest.raises(DistillError, match=r"one class.*distiller\.peers"):
        _distil(name, counts=(60, 0, 0))


@pytest.mark.parametrize("name", CLASS_WISE)
def test_a_class_is_distilled_alike_whether_other_classes_are_there(name):
    # Class-wise objectives separate: the one-class client is no special case.
    alone = _distil(name, counts=(60, 0, 0))[1].synthetic
    among = _distil(name, counts=(60, 40, 40))[1].synthetic
    torch.testing.assert_close(alone.inputs, among.inputs[among.labels == 0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("packing", [1, 2])
@pytest.mark.parametrize("name", ["dc", "dm", "dm-krr", "dsa", "krr", "ncfm"])
def test_each_choice_of_networks_gives_rows_of_its_own(name, packing):
    data = blobs(counts=(64, 64))
    model = build_model(ModelConfig(name="mlp"), feature_shape=(1, 8, 8), num_classes=2, seed=0)
    plan = dataclasses.replace(plan_for(data), model=model)
    found = []
    for embedder in ("random", "trained", "global"):
        cfg = DistillerConfig(
            name=name,
            ipc=2,
            steps=3,
            networks=2,
            width=4,
            packing=packing,
            embedder=embedder,
            embedder_steps=3,
            start="noise",
        )
        rng = torch.Generator().manual_seed(1)
        part = DISTILLERS.get(name)(cfg).distill(data, plan=plan, start=None, rng=rng).synthetic
        assert part.inputs.shape == (4, 1, 8, 8)
        assert bool(torch.isfinite(part.inputs).all())
        assert bool(torch.isfinite(part.targets).all())
        assert part.labels.tolist() == [0, 0, 1, 1]
        found.append(part.inputs)
    first, second, third = found
    assert not torch.equal(first, second)
    assert not torch.equal(first, third)
    assert not torch.equal(second, third)


def test_unknown_distiller_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"dm, .*herding, kmeans, .*random"):
        DISTILLERS.get("gan")


class Operations(TorchDispatchMode):
    """Counts those of matrix products and convolutions, with their derivatives."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        cost = flop_registry.get(func._overloadpacket)
        if cost is not None:
            self.count += cost(*args, **(kwargs or {}), out_val=found)
        return found


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        (name, labels)
        for name in DISTILLERS.built_in()
        for labels in ("hard", "ridge")
        if labels == "hard" or "labels" not in ignored_by(name)
    ],
)
def test_a_time_budget_bounds_the_work_from_the_start_to_the_labels(name, labels, monkeypatch):
    # On this clock 40 million operations take a second; k-means stands for some of its own.
    work, lloyd = Operations(), start.lloyd

    def weighed(flat, clusters, *, seed):
        work.count += 40 * flat.size * clusters
        return lloyd(flat, clusters, seed=seed)

    simulated = SimpleNamespace(monotonic=lambda: work.count / 4e7)
    monkeypatch.setattr(start, "lloyd", weighed)
    monkeypatch.setattr(clock, "time", simulated)
    cfg = DistillerConfig(ipc=20, steps=10**6, networks=30, width=4, labels=labels, seconds=1.0)
    with work:
        _, made = _distil(name, cfg, counts=(4000, 3000))
    assert simulated.monotonic() < 1.5  # without it: up to millions
    assert len(made.synthetic) == 40
