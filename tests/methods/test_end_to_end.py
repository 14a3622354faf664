"""Whole runs through the real apps and Flower's serialisation, without processes."""

from __future__ import annotations

import dataclasses
import json
import pkgutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from flwr.app import Array, ArrayRecord, Context, Message, RecordDict
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_tensors

import client_app
import server_app
from fdd_flower.config import Config, ModelConfig, Scalar, TrainingConfig, to_run_config
from fdd_flower.data import load_dataset
from fdd_flower.errors import FddError
from fdd_flower.ledger import Ledger
from fdd_flower.local_grid import LocalGrid
from fdd_flower.models import build_model
from fdd_flower.rng import stream
from fdd_flower.run_folder.saved_set import Source, load_set
from fdd_flower.training.evaluation import evaluate
from fdd_flower.training.loop import train_on
from fdd_flower.training.teachers import NetworkTeacher
from fdd_flower.wire.records import ARRAYS, META, METRICS

QUICK: dict[str, Scalar] = {
    "num-server-rounds": 2,
    "distiller.steps": 3,
    "distiller.networks": 2,
    "distiller.width": 4,
    "training.steps": 30,
    "model.name": "logistic",
    "strategy.deadline": 30.0,
}


def run(tmp_path: Path, name: str = "run", *, clients: int = 4, faults=None, **changes: Scalar):
    """Run both apps; return (run folder, whether it completed)."""
    folder = tmp_path / name
    settings = {k.replace("__", "."): v for k, v in changes.items()}
    settings = {k.replace("_", "-"): v for k, v in settings.items()}
    config = to_run_config(Config()) | QUICK | {"output.dir": str(folder)} | settings
    grid = LocalGrid(client_app.app, clients, config, faults=faults)
    context = Context(run_id=1, node_id=0, node_config={}, state=RecordDict(), run_config=config)
    try:
        server_app.app(grid, context)
    except FddError:
        return folder, False
    return folder, True


def summary(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_text())


def rounds(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "rounds.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of the settings above, for tests that only look at it."""
    folder, done = run(tmp_path_factory.mktemp("plain"))
    assert done
    return folder


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize("strategy", ["fdd", "fedavg"])
def test_a_run_completes_and_leaves_the_same_files(tmp_path, strategy):
    folder, done = run(tmp_path, strategy__name=strategy)
    assert done
    result = summary(folder)
    assert result["status"] == "completed"
    assert (result["strategy"], result["num_clients"], result["rounds"]) == (strategy, 4, 2)
    assert result["bytes_up_total"] == sum(row["bytes_up"] for row in rounds(folder))
    assert result["bytes_up_per_client"] == result["bytes_up_total"] / 4
    files = {path.name for path in folder.iterdir()}
    want = {
        "rounds.jsonl", "summary.json", "config.toml", "ledger", "report.html", "curves.png",
        "model.safetensors", "schema.json", "evaluation.json", "metrics.png",
    }  # fmt: skip
    if strategy == "fdd":
        want |= {"synthetic.safetensors", "synthetic.png"}
    assert files == want


def test_the_model_left_behind_has_the_accuracy_that_was_reported(plain):
    dataset = load_dataset(Config().data, seed=0)
    test = dataset.split(dataset.test)
    model = load_file(plain / "model.safetensors")
    weight, bias = (model[k] for k in sorted(model, reverse=True))
    logits = test.inputs.flatten(1).numpy() @ weight.T + bias
    accuracy = float((logits.argmax(axis=1) == test.labels.numpy()).mean())
    assert accuracy == pytest.approx(summary(plain)["accuracy"], abs=1e-9)


@pytest.mark.usefixtures("pictures")
def test_several_models_are_trained_on_the_same_merged_set(tmp_path, plain):
    # the global model, logistic, is not trained twice
    folder, done = run(tmp_path, server__models="mlp, logistic, convnet")
    assert done
    assert (folder / "model.safetensors").read_bytes() == (plain / "model.safetensors").read_bytes()
    found = summary(folder)["accuracy_by_model"]
    assert sorted(found) == ["convnet", "mlp"]
    dataset = load_dataset(Config().data, seed=0)
    test = dataset.split(dataset.test)
    for name, accuracy in found.items():
        model = build_model(ModelConfig(name=name), feature_shape=(1, 8, 8), num_classes=10, seed=5)
        untrained = evaluate(model, test).accuracy
        model.load_state_dict(load_tensors(folder / f"model-{name}.safetensors"))
        assert evaluate(model, test).accuracy == pytest.approx(accuracy)
        assert accuracy > untrained
    assert f"accuracy of {max(found)}" in (folder / "report.html").read_text()


@pytest.mark.parametrize(
    ("names", "strategy"),
    [
        ("nonsense", "fdd"),
        ("cnn", "fdd"),
        ("mlp,mlp", "fdd"),
        ("mlp,", "fdd"),
        ("mlp", "fedavg"),
    ],
)
def test_models_that_cannot_be_trained_too_are_refused_before_anything(tmp_path, names, strategy):
    folder, done = run(tmp_path, server__models=names, strategy__name=strategy)
    assert not done
    assert not folder.exists()


def test_the_global_model_is_not_trained_twice_by_another_name(tmp_path):
    folder, done = run(
        tmp_path, num_server_rounds=1, model__name="auto", server__models="auto,logistic"
    )
    assert done
    assert list(summary(folder)["accuracy_by_model"]) == ["logistic"]


def test_a_bound_on_sets_is_refused_where_there_are_none(tmp_path, caplog):
    folder, done = run(tmp_path, strategy__name="fedavg", scoring__quota=1.0)
    assert not done
    assert not folder.exists()
    assert "scoring.quota: expected 0.0 with strategy.name=fedavg" in caplog.text


@pytest.mark.parametrize(
    ("slow", "settings"),
    [
        ("server.distillation:FederatedDistillation.merge", {}),
        ("server.distillation:FederatedDistillation._train", {}),
        ("methods.sketch:synthesise", {"strategy__name": "sketch", "sketch__kind": "means"}),
    ],
)
def test_what_the_server_works_is_counted(tmp_path, monkeypatch, slow, settings):
    original = pkgutil.resolve_name(f"fdd_flower.{slow}")

    def slowly(*args, **named):
        time.sleep(0.5)
        return original(*args, **named)

    monkeypatch.setattr(f"fdd_flower.{slow.replace(':', '.')}", slowly)
    folder, done = run(tmp_path, num_server_rounds=1, **settings)
    assert done
    assert rounds(folder)[0]["seconds_train"] >= 0.5


def test_a_network_that_is_trained_first_teaches_the_global_model(tmp_path, monkeypatch):
    monkeypatch.setattr("fdd_flower.training.family.TEACHER_STEPS", 20)
    untaught, _ = run(
        tmp_path, "untaught", num_server_rounds=1, server__models="mlp", training__steps=20
    )
    folder, done = run(
        tmp_path,
        num_server_rounds=1,
        server__models="mlp",
        server__teacher="mlp",
    )
    assert done
    teacher = (folder / "model-mlp.safetensors").read_bytes()
    assert teacher == (untaught / "model-mlp.safetensors").read_bytes()
    networks = {
        name: build_model(ModelConfig(name=name), feature_shape=(1, 8, 8), num_classes=10, seed=1)
        for name in ("mlp", "logistic")
    }
    networks["mlp"].load_state_dict(load_tensors(folder / "model-mlp.safetensors"))
    train_on(
        load_set(folder / "synthetic.safetensors").set,
        networks["logistic"],
        TrainingConfig(steps=30, teacher=0.9),
        rng=stream(0, "train", 1),
        teacher=NetworkTeacher(networks["mlp"]),
    )
    left = load_tensors(folder / "model.safetensors")
    for name, tensor in networks["logistic"].state_dict().items():
        assert torch.equal(left[name], tensor)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"server__teacher": "nonsense"}, "server.teacher"),
        ({"server__teacher": "cnn"}, "server.teacher"),  # for images of at least 16x16
        ({"server__teacher": "logistic"}, "another family than model.name"),
        ({"server__teacher": "mlp", "strategy__name": "fedavg"}, "strategy.name=fedavg"),
        ({"server__teacher": "mlp", "strategy__name": "sketch"}, "strategy.name=sketch"),
    ],
)
def test_a_teacher_that_cannot_teach_is_refused_before_anything(tmp_path, caplog, changes, what):
    folder, done = run(tmp_path, **changes)
    assert not done
    assert not folder.exists()
    assert what in caplog.text


def test_same_seed_same_bits_and_another_seed_others(tmp_path, plain):
    same, other = run(tmp_path, "same", seed=0)[0], run(tmp_path, "other", seed=1)[0]
    for name in ("synthetic.safetensors", "model.safetensors"):
        found = [(folder / name).read_bytes() for folder in (plain, same, other)]
        assert found[0] == found[1] != found[2]


def test_the_merged_set_is_what_the_ledger_accepted(tmp_path):
    folder, _ = run(tmp_path, merger__name="union", num_server_rounds=1)
    index = Ledger(folder / "ledger").entries()
    assert [entry.client for entry in index] == ["0", "1", "2", "3"]
    parts = [load_file(folder / "ledger" / f"{entry.sha256}.safetensors") for entry in index]
    merged = load_file(folder / "synthetic.safetensors")
    np.testing.assert_array_equal(merged["inputs"], np.concatenate([p["inputs"] for p in parts]))
    owners = np.repeat(np.arange(4), [len(part["inputs"]) for part in parts])
    np.testing.assert_array_equal(merged["origin"], owners)
    saved = load_set(folder / "synthetic.safetensors")
    assert saved.sources == tuple(Source(1, entry.sha256) for entry in index)


def _poison(message: Message) -> Message:
    record = message.content[ARRAYS]
    assert isinstance(record, ArrayRecord)
    for name, array in record.items():
        values = array.numpy().copy()
        if values.dtype.kind == "f":
            values[...] = np.nan
            record[name] = Array(values)
    return message


def _shrink(message: Message) -> Message:
    record = message.content[ARRAYS]
    assert isinstance(record, ArrayRecord)
    name = min(record)  # "inputs", or the model's first parameter
    record[name] = Array(record[name].numpy()[:1])
    return message


def _old(message: Message) -> Message:
    message.content[META]["round"] = 77  # type: ignore[index]
    return message


def _twin(message: Message) -> Message:
    message.content[META]["client"] = "0"  # type: ignore[index]
    return message


def _garbage(message: Message) -> Message:
    message.content = RecordDict()
    return message


def _overclaim(message: Message) -> Message:
    message.content[METRICS]["num-examples"] = -9  # type: ignore[index]
    message.content[METRICS]["seconds"] = -1.0  # type: ignore[index]
    return message


def _silent(message: Message) -> None:
    return None


# tests/attacks has every kind of reply; here they go through a whole run
BAD = [_poison, _shrink, _old, _twin, _garbage, _overclaim]
CASES = [*(("fdd", fault, 1) for fault in BAD), ("fedavg", _poison, 2), ("fedavg", _shrink, 1)]


@pytest.mark.parametrize(("strategy", "fault", "number"), CASES)
def test_a_bad_reply_is_dropped_with_a_reason_and_the_round_goes_on(
    tmp_path, strategy, fault, number
):
    settings = {"strategy__name": strategy, "num_server_rounds": number}
    folder, done = run(tmp_path, faults={4: fault}, **settings)
    assert done
    assert [(row["replies"], row["rejected"]) for row in rounds(folder)] == [(3, 1)] * number
    (codes,) = {tuple(row["rejected_codes"].items()) for row in rounds(folder)}
    index = Ledger(folder / "ledger").entries()
    dropped = [entry for entry in index if entry.verdict == "rejected"]
    assert len(dropped) == number
    assert all("expected" in entry.reason for entry in dropped)
    assert {((entry.code, 1),) for entry in dropped} == {codes}


def test_a_round_with_a_bad_reply_equals_one_without_that_client(tmp_path):
    # The share of a client is fixed by the split, so dropping and silence must agree.
    bad, _ = run(tmp_path, "bad", faults={4: _poison}, num_server_rounds=1)
    gone, _ = run(
        tmp_path, "gone", faults={4: _silent}, num_server_rounds=1, strategy__deadline=3.0
    )
    name = "synthetic.safetensors"
    assert (bad / name).read_bytes() == (gone / name).read_bytes()


def test_below_quorum_the_run_ends_with_a_message_and_a_status(tmp_path, caplog):
    faults = dict.fromkeys((2, 3, 4), _garbage)
    folder, done = run(tmp_path, faults=faults)
    assert not done
    assert summary(folder)["status"].startswith(
        "failed: round 1: expected at least strategy.quorum = 2"
    )
    assert summary(folder)["rounds"] == 0
    errors = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert any("strategy.quorum = 2 usable replies; got 1 usable" in line for line in errors)


def test_too_few_clients_end_the_run_instead_of_waiting_for_ever(tmp_path):
    folder, done = run(tmp_path, clients=1, strategy__deadline=0.5)
    assert not done
    assert "connected clients: expected at least" in summary(folder)["status"]


def test_a_late_client_is_left_out_after_the_deadline(tmp_path):
    folder, done = run(tmp_path, faults={2: _silent}, strategy__deadline=4.0)
    assert done
    assert [row["replies"] for row in rounds(folder)] == [3, 3]


def test_warm_start_refines_and_cold_state_does_not_leak_between_runs(tmp_path, plain):
    one, _ = run(tmp_path, num_server_rounds=1)
    first, second = (load_file(f / "synthetic.safetensors")["inputs"] for f in (one, plain))
    assert first.shape == second.shape
    assert 0 < np.abs(first - second).mean() < 0.5


def test_warm_server_training_differs_from_scratch(tmp_path, plain):
    warm, _ = run(tmp_path, training__start="warm")
    a, b = (load_file(f / "model.safetensors") for f in (plain, warm))
    assert any(not np.array_equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("data", ["wine", "breast-cancer"])
def test_feature_vectors_run_as_images_do(tmp_path, data):
    folder, done = run(tmp_path, data__name=data, model__name="auto", partition__name="iid")
    assert done
    assert summary(folder)["model"] == "mlp"


def test_every_key_of_the_config_left_behind_reproduces_the_run(plain):
    import tomllib

    from fdd_flower.config import flatten, from_run_config

    kept = from_run_config(flatten(tomllib.loads((plain / "config.toml").read_text())))
    assert kept == dataclasses.replace(kept)
    assert kept.distiller.steps == 3
    assert kept.output.dir == str(plain)
