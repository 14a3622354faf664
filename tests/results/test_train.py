"""`fdd train`: the weights that the run itself would have made, measured where that can be done."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from fdd_flower.run_folder.load import load_run
from fdd_flower.run_folder.network import load_network


def test_it_gives_what_the_run_itself_would_have(fdd, digits_once, tmp_path):
    done = fdd("train", digits_once, "--model", "mlp", "--out", tmp_path, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    mine, theirs = (load_file(f / "model-mlp.safetensors") for f in (tmp_path, digits_once))
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    summary = load_run(digits_once).summary
    assert found["accuracy"] == summary.accuracy_by_model["mlp"]
    assert summary.metrics_by_model["mlp"].items() <= found["metrics"].items()
    assert list(found["accuracy_per_class"]) == list("0123456789")
    assert found["model"] == str(tmp_path / "model-mlp.safetensors")


def test_what_is_asked_for_is_done(fdd, digits):
    words = ("--model", "convnet", "--set", "model.width=4", "--set", "model.depth=1")
    done = fdd("train", digits, *words, "--steps", 2, "--seed", 5)
    assert done.exit_code == 0, done.output
    assert "2 steps" in done.stdout
    assert "accuracy" in done.stdout
    path = digits / "model-convnet.safetensors"
    assert done.stdout.endswith(f"model: {path}\n")
    # the run's settings would build another one: the file says how wide it is
    network = load_network(load_run(digits), "convnet")
    assert sum(p.numel() for p in network.parameters()) < 2000
    before = path.read_bytes()
    again = fdd("train", digits, *words, "--steps", 3)
    assert again.exit_code == 2
    assert "one that exists" in again.stderr
    assert path.read_bytes() == before


def test_without_test_records_it_trains_all_the_same(fdd, digits):
    config = digits / "config.toml"
    config.write_text(config.read_text().replace('name = "digits"', 'name = "npz"'))
    done = fdd("train", digits, "--model", "convnet", "--steps", 1, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["accuracy"] is None
    assert "data.path" in found["not_measured"]
    (digits / "model-convnet.safetensors").unlink()
    wrong = fdd("train", digits, "--model", "auto", "--set", "data.path=nowhere")
    assert wrong.exit_code == 2
    assert "nowhere" in wrong.stderr


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--model", "nope"), "expected one of auto, cnn"),
        (("--model", "cnn"), "16x16 for cnn"),
        (("--model", "mlp", "--set", "distiller.ipc=3"), "one that made the set"),
        (("--model", "mlp", "--steps", "-1"), "training.steps: expected an integer"),
        (("--model", "auto", "--set", "data.name=wine"), "expected classes"),
        (("--model", "auto", "--out", "/nowhere/at/all"), "no folder /nowhere/at/all"),
    ],
)
def test_bad_input_ends_before_training(fdd, digits, words, complaint):
    before = sorted(digits.iterdir())
    result = fdd("train", digits, *words)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1
    assert sorted(digits.iterdir()) == before


def test_a_run_without_a_set(fdd, digits):
    (digits / "synthetic.safetensors").unlink()
    summary = digits / "summary.json"
    summary.write_text(summary.read_text().replace('"distiller": "random"', '"distiller": ""'))
    result = fdd("train", digits, "--model", "mlp")
    assert result.exit_code == 2
    assert "a run with a synthetic.safetensors" in result.stderr
