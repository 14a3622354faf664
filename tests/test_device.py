"""One place names a device, and everything else works wherever its tensors are."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import fdd_flower
from fdd_flower import device
from fdd_flower.config import (
    CodecConfig,
    DistillerConfig,
    LocalConfig,
    MergerConfig,
    ModelConfig,
    RuntimeConfig,
    SketchConfig,
    TrainingConfig,
    keys,
)
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import DISTILLERS, Guidance, usable_classes
from fdd_flower.errors import ConfigError
from fdd_flower.mergers.base import MERGERS, AgedSets
from fdd_flower.models import build_model
from fdd_flower.models.base import MODELS
from fdd_flower.rng import stream
from fdd_flower.scoring import Root, hold_out_root, score_sets
from fdd_flower.sketches.base import KINDS
from fdd_flower.sketches.synthesis import synthesise
from fdd_flower.synthetic_set import SyntheticSet, concatenate
from fdd_flower.training.class_logits import ClassLogits, KnowledgeMatching, class_logits
from fdd_flower.training.evaluation import evaluate
from fdd_flower.training.local import train_locally
from fdd_flower.training.loop import train_on
from fdd_flower.training.teachers import NetworkTeacher
from fdd_flower.wire.codecs.base import CODECS
from tests.conftest import blobs, plan_for
from tests.far_device import FAR, far_device

PACKAGE = Path(device.__file__).parent
IMAGE, TABLE = (1, 8, 8), (6,)


def split_of(shape: tuple[int, ...] = IMAGE) -> Split:
    return blobs(shape=shape, counts=(24, 20, 16))


def set_of(data: Split) -> SyntheticSet:
    targets = torch.nn.functional.one_hot(data.labels, len(data.classes)).float()
    return SyntheticSet(inputs=data.inputs, targets=targets, weights=torch.ones(len(data)))


def same(
    work: Callable[[torch.device], Any], *, doubles: bool = True, here: tuple[str, ...] = ()
) -> None:
    """Check that `work` gives the same bits on both devices, and does its work on its own.

    But for operations called `here`, which may run on the CPU.
    """
    wanted = work(device.HOST)
    with far_device(doubles=doubles) as seen:
        found = device.on_host(work(FAR))
    assert seen.far
    assert not set(seen.work_here) - set(here), f"on the CPU: {sorted(set(seen.work_here))}"
    if doubles:
        torch.testing.assert_close(found, wanted, rtol=0, atol=0)


# The place itself


def test_the_setting_names_the_devices():
    key = keys()["runtime.device"]
    assert key.choices == device.CHOICES
    assert key.default == RuntimeConfig().device == device.AUTO


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused_by_name(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(device, "available", lambda: ("cpu",))
    with pytest.raises(ConfigError, match=rf"runtime.device: .* auto, cpu; got '{name}'. Set it"):
        device.resolve(name)
    assert device.resolve("auto") == torch.device("cpu")


def test_auto_takes_cuda_and_never_mps(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(device, "available", lambda: ("cpu", "mps"))
    assert device.resolve("auto").type == "cpu"
    monkeypatch.setattr(device, "available", lambda: ("cpu", "cuda", "mps"))
    assert device.resolve("auto").type == "cuda"


def test_moving_keeps_what_is_there_and_moves_all_the_rest():
    data = split_of()
    whole = {"splits": [data, 3], "name": "a"}
    assert device.moved(whole, device.HOST) is whole
    with far_device():
        there = device.moved(whole, FAR)
        moved = there["splits"][0]  # type: ignore[index]
        assert (moved.inputs.device, moved.labels.device) == (FAR, FAR)
        assert torch.equal(device.on_host(moved).inputs, data.inputs)


def _names_a_device(node: ast.AST) -> bool:
    if isinstance(node, ast.keyword):
        return node.arg == "device" and _is_name(node.value)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    takes_one = node.func.attr in ("device", "to", "set_default_device")
    return node.func.attr in ("cpu", "cuda") or (takes_one and any(map(_is_name, node.args)))


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value in device.CHOICES


def test_one_file_alone_names_a_device():
    found = [
        f"{path.relative_to(PACKAGE)}: {ast.unparse(node)}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if path.name != "device.py" and _names_a_device(node)
    ]
    assert not found


# The device of the tests


def test_the_far_device_refuses_what_a_gpu_refuses():
    with far_device() as seen:
        x = torch.ones(3, 2).to(FAR)
        for forgotten in (
            lambda: x + torch.ones(2),
            lambda: torch.zeros(()).add_(x.sum()),
            lambda: torch.stack([x.sum(), torch.zeros(())]),
            lambda: torch.multinomial(x, 1, generator=torch.Generator()),
            lambda: np.asarray(x),
        ):
            with pytest.raises((RuntimeError, TypeError)):
                forgotten()
        assert (x * torch.tensor(2.0)).tolist() == [[2.0, 2.0]] * 3
        assert float((x.cpu() @ torch.ones(2, 1)).sum()) == 6
        assert seen.work_here == ["mm"]


def test_the_far_device_can_lack_doubles():
    with far_device(doubles=False), pytest.raises(TypeError, match="float64"):
        torch.ones(3).to(FAR).double()


# Training and measuring


@pytest.mark.parametrize("doubles", [True, False])
@pytest.mark.parametrize("shape", [IMAGE, TABLE])
def test_a_model_trains_where_its_set_is(shape: tuple[int, ...], doubles: bool):
    data = split_of(shape)
    cfg = TrainingConfig(steps=3, batch_size=8, mixup=0.4, cutmix=0.5, noise=0.1, teacher=0.5)

    def train(where: torch.device) -> Tensor:
        model = build_model(ModelConfig(name="mlp"), feature_shape=shape, num_classes=3, seed=1)
        whole = device.moved(concatenate([set_of(data)]), where)
        train_on(whole, model.to(where), cfg, rng=stream(0, "train"))
        return torch.nn.utils.parameters_to_vector(model.parameters()).detach()

    same(train, doubles=doubles)


def _network(
    name: str, where: torch.device, shape: tuple[int, ...] = (1, 16, 16)
) -> torch.nn.Module:
    cfg = ModelConfig(name=name, width=8, depth=1)
    return build_model(cfg, feature_shape=shape, num_classes=3, seed=1).to(where)


@pytest.mark.parametrize("name", MODELS.built_in())
def test_every_model_trains_and_is_measured(name: str):
    shape = (2, 16) if name == "conv1d" else (1, 16, 16)
    data = split_of(shape)

    def work(where: torch.device) -> Any:
        here, model = device.moved(data, where), _network(name, where, shape)
        loss = train_locally(
            here, model, LocalConfig(epochs=1), rng=stream(0, "local"), proximal_mu=0.1
        )
        found = evaluate(model, here)
        return [loss, found.accuracy, found.loss, list(found.accuracy_per_class)]

    same(work)


@pytest.mark.parametrize("doubles", [True, False])
def test_knowledge_matching_follows_the_rows(doubles: bool):
    data = split_of(IMAGE)

    def work(where: torch.device) -> Tensor:
        here = device.moved(data, where)
        model = build_model(ModelConfig(name="mlp"), feature_shape=IMAGE, num_classes=3, seed=1)
        model = model.to(where)
        logits = class_logits(model, here.inputs, here.labels, num_classes=3, least=2)
        term = KnowledgeMatching(
            device.moved(set_of(data), where),
            replace(logits, values=logits.values + 1),
            weight=1.0,
            temperature=2.0,
            batch=6,
            rng=stream(0, "knowledge"),
        )
        assert NetworkTeacher(model)(here.inputs).device == where
        return term(model).detach()

    same(work, doubles=doubles)


# Distilling


SMALL = DistillerConfig(ipc=2, steps=2, networks=2, width=4, min_records=2, embedder_steps=3)


def _distil(
    cfg: DistillerConfig, where: torch.device, shape: tuple[int, ...] = IMAGE, codec: str = ""
) -> SyntheticSet:
    data = split_of(shape)
    model = build_model(ModelConfig(name="mlp"), feature_shape=shape, num_classes=3, seed=1)
    logits = ClassLogits(torch.eye(3), torch.tensor([True, True, False]))
    guided = cfg.embedder == "global" and cfg.name == "dm"
    plan = replace(
        plan_for(data, round_=2),
        model=model,
        peers=set_of(data) if cfg.peers else None,
        guidance=Guidance(keep=0.5, weight=1.0, projections=4, logits=logits) if guided else None,
        codec=CODECS.get(codec)(CodecConfig(name=codec)) if codec else None,
    )
    start = None if cfg.ipc > 2 else set_of(data)
    data, plan, start = device.moved((data, plan, start), where)
    distiller = DISTILLERS.get(cfg.name)(cfg)
    made = distiller.distill(data, plan=plan, start=start, rng=stream(0, "client"))
    if made.codec is not None:
        sizes = {name: a.shape for name, a in made.codec.encode(made.synthetic).items()}
        assert sizes
    return made.synthetic


@pytest.mark.parametrize("name", DISTILLERS.built_in())
@pytest.mark.parametrize("shape", [IMAGE, TABLE])
def test_every_distiller_works_where_the_records_are(name: str, shape: tuple[int, ...]):
    cfg = replace(SMALL, name=name, ipc=3)  # from k-means centres, and not from an earlier set
    same(lambda where: _on(where, _distil(cfg, where, shape)))


@pytest.mark.parametrize(
    ("options", "codec"),
    [
        ({"labels": "local", "embedder": "trained", "moments": "covariance"}, ""),
        ({"labels": "ridge", "augment": True, "sample": 4}, "uint8"),
        ({"labels": "global", "embedder": "global"}, "float16"),
        ({"packing": 2, "start": "class-mean", "ipc": 3}, "float32"),
        ({"packing": 2, "start": "noise", "ipc": 3}, "webp"),
        ({"bytes": 2500, "codec_aware": True, "ipc": 3}, "avif"),
        ({"name": "krr", "peers": True}, ""),
        ({"name": "dm-krr", "augment": True, "start": "real-unsafe", "ipc": 3}, ""),
        ({"name": "dc", "peers": True, "embedder": "trained"}, ""),
        ({"name": "dsa", "steps": 12, "networks": 4, "inner_steps": 2}, ""),
        ({"name": "ncfm", "augment": True}, ""),
    ],
    ids=lambda given: "-".join(map(str, given.values())) if isinstance(given, dict) else given,
)
def test_options_work_where_the_records_are(
    options: dict[str, Any], codec: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("fdd_flower.distillers.parts.labels.TEACHER_STEPS", 3)
    cfg = replace(SMALL, **options)
    same(lambda where: _on(where, _distil(cfg, where, (1, 16, 16), codec)))


@pytest.mark.parametrize("name", ["dm", "krr", "ncfm"])
def test_distillers_work_without_doubles(name: str):
    cfg = replace(SMALL, name=name, labels="ridge" if name == "dm" else "hard")
    same(lambda where: _on(where, _distil(cfg, where)), doubles=False)


def _on(where: torch.device, part: SyntheticSet) -> list[Tensor]:
    found = [part.inputs, part.targets, part.weights, *part.beside.values()]
    found += [part.origin] if part.origin is not None else []
    assert {tensor.device for tensor in found} == {where}
    return found


# Merging, sketches, scoring


@pytest.mark.parametrize("doubles", [True, False])
@pytest.mark.parametrize("name", MERGERS.built_in())
def test_every_merger_works_where_the_sets_are(name: str, doubles: bool):
    parts = [set_of(blobs(counts=(24, 20, 3), seed=seed)) for seed in range(3)]
    parts.append(replace(parts[0], inputs=parts[0].inputs + 0.01))
    merger = MERGERS.get(name)(MergerConfig(name=name, rows=3, steps=2))

    def work(where: torch.device) -> list[Tensor]:
        aged = AgedSets(device.moved(parts, where), [1.0, 0.5, 0.7, 1.0])
        return _on(where, merger.merge(aged, rng=stream(0, "merge")))

    same(work, doubles=doubles)


@pytest.mark.parametrize("doubles", [True, False])
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("name", KINDS.built_in())
def test_every_sketch_is_summed_where_the_records_are(name: str, masked: bool, doubles: bool):
    data = split_of(IMAGE)
    cfg = SketchConfig(kind=name, width=4, secure_sum=masked)
    distiller = replace(SMALL, ipc=2)

    def work(where: torch.device) -> list[Tensor]:
        kind = KINDS.get(name)(cfg, distiller, plan_for(data), where)
        parts, _ = usable_classes(device.moved(data, where), distiller)
        total = kind.decode(kind.encode(kind.of(parts)))
        there = device.moved(total + total, kind.sums_device)
        teacher = kind.teacher(there)
        told = [] if teacher is None else [teacher(parts[0].inputs[:3])]
        return told + _on(where, synthesise(kind, there, rng=stream(0, "synthesis")))

    # what is sent is checked on the CPU, and so are sums where the device has no doubles
    same(work, doubles=doubles, here=("mm", "linalg_solve_ex", "linalg_eigh"))


@pytest.mark.parametrize("doubles", [True, False])
def test_sets_are_scored_where_the_root_is(doubles: bool):
    test = blobs(counts=(30, 30, 30), seed=3)
    parts = {str(seed): set_of(blobs(counts=(9, 8, 7), seed=seed)) for seed in range(3)}
    parts["copy"] = parts["0"]

    def work(where: torch.device) -> list[Any]:
        records, _ = hold_out_root(test, per_class=10, seed=0)
        root = Root.of(device.moved(records, where), seed=0)
        found = score_sets(parts, root=root, earlier={"1": parts["1"]}, seed=0)
        return [[one.utility, one.agreement, one.outlier, one.copied] for one in found.values()]

    same(work, doubles=doubles)


def test_the_python_api_computes_on_the_device(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(device, "available", lambda: (device.CPU, FAR.type))
    data = split_of((1, 16, 16))
    x, y = data.inputs.numpy(), data.labels.numpy()

    def work(where: torch.device) -> list[Any]:
        monkeypatch.setattr(device, "best", lambda: where.type)
        small = fdd_flower.distill(x, y, ipc=2, distiller_steps=2, distiller_min_records=2)
        model = fdd_flower.train(small, "mlp", steps=2)
        found = fdd_flower.evaluate(model, x, y)
        return [small.inputs, model.predict_proba(x), found.accuracy, found.loss]

    # a set is unpacked where it arrives
    same(work, here=("mm", "bmm"))
