"""`fdd export`: what other tools read back is the set, and nothing is left half-written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch
from huggingface_hub import DatasetCard, ModelCard
from PIL import Image
from sklearn.datasets import load_wine

from fdd_flower.config import Config, DataConfig
from fdd_flower.data import load_dataset
from fdd_flower.data.schema_toml import read_schema
from fdd_flower.run_folder.load import load_run
from fdd_flower.run_folder.run_dir import RunDir
from fdd_flower.schema import Schema
from fdd_flower.synthetic_set import SyntheticSet
from tests.report.samples import CLASSES, NORMALISATION, make_row, make_summary


@pytest.fixture
def odd(tmp_path) -> Path:
    """Return a run with hostile names of classes, soft labels and rows of unknown origin."""
    run = RunDir.create(tmp_path / "odd")
    run.write_config(Config())
    run.append_round(make_row(1))
    set_ = SyntheticSet(
        inputs=torch.linspace(-3, 3, 2 * 3 * 4 * 5).view(2, 3, 4, 5),
        targets=torch.tensor([[0.75, 0.25], [0.0, 1.0]]),
        weights=torch.tensor([1.5, 2.0]),
    )
    run.write_synthetic(set_, CLASSES, NORMALISATION)
    run.write_schema(Schema(classes=CLASSES, feature_shape=(3, 4, 5), normalisation=NORMALISATION))
    run.write_summary(make_summary())
    return run.path


def units(run: Path) -> np.ndarray:
    """Return the inputs of a run's set in the units of its data, by NumPy alone."""
    saved = load_run(run).synthetic
    assert saved is not None
    x, scale = saved.set.inputs.numpy(), saved.normalisation
    shape = (-1, *[1] * (x.ndim - 2))
    return x * np.array(scale.std).reshape(shape) + np.array(scale.mean).reshape(shape)


def written(name: str) -> float:
    """Return half a unit of the last digit that records of wine are written with, and a little."""
    cells = cast(Any, load_wine(as_frame=True)).data[name].astype(str)
    return 0.5001 * 10.0 ** -cells.str.partition(".")[2].str.rstrip("0").str.len().max()


def test_a_table_has_features_labels_weights_and_origin(fdd, wine_once, tmp_path):
    for form in ("csv", "parquet"):
        done = fdd("export", wine_once, "--to", form, "--out", tmp_path / form)
        assert done.exit_code == 0, done.output
        assert done.stdout.endswith(f"export: {tmp_path / form}\n")
    run = load_run(wine_once)
    assert run.synthetic is not None
    frame = pd.read_csv(tmp_path / "csv" / "synthetic.csv")
    want, names = units(wine_once), sorted(set(frame) - {"kind", "weight", "round", "set"})
    assert len(names) == 13
    for name, column in zip(names, want.T, strict=True):
        np.testing.assert_allclose(frame[name], column, atol=written(name), rtol=1e-5)
    assert list(frame["kind"]) == [run.synthetic.classes[i] for i in run.synthetic.set.labels]
    np.testing.assert_allclose(frame["weight"], run.synthetic.set.weights, rtol=1e-5)
    assert set(frame["set"]) == {source.sha256 for source in run.synthetic.sources}
    assert set(frame["round"]) == {1}
    pd.testing.assert_frame_equal(
        frame, pd.read_parquet(tmp_path / "parquet" / "synthetic.parquet"), check_dtype=False
    )
    assert (tmp_path / "csv" / "summary.json").read_bytes() == (
        wine_once / "summary.json"
    ).read_bytes()


def test_an_archive_and_a_folder_of_images_are_data_sets_again(fdd, digits_once, tmp_path):
    for form in ("npz", "images"):
        assert fdd("export", digits_once, "--to", form, "--out", tmp_path / form).exit_code == 0
    run = load_run(digits_once)
    assert run.synthetic is not None
    want, labels = units(digits_once), run.synthetic.set.labels.numpy()
    with np.load(tmp_path / "npz" / "synthetic.npz", allow_pickle=False) as found:
        np.testing.assert_allclose(found["x"], want, atol=1e-6)
        assert (found["y"] == labels).all()
        assert list(found["classes"]) == list(run.synthetic.classes)
    root = tmp_path / "images" / "images"
    facts = pd.read_csv(root / "metadata.csv", dtype={"label": str})
    assert list(facts["label"]) == [str(label) for label in labels]
    for name, label, x in zip(facts["file_name"], labels, want, strict=True):
        assert name.split("/")[0] == str(label)
        with Image.open(root / name) as image:
            np.testing.assert_allclose(np.asarray(image) / 255, x[0].clip(0, 1), atol=0.002)
    sets = {"npz": tmp_path / "npz" / "synthetic.npz", "folder": root}
    for name, path in sets.items():
        cfg = DataConfig(name=name, path=str(path), image_size=8, test_fraction=0.3)
        assert load_dataset(cfg, seed=0).classes == run.synthetic.classes


def test_hugging_face_opens_what_is_for_it(fdd, digits_once, wine_once, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from datasets import ClassLabel, load_dataset

    opened = {}
    for name, run in (("digits", digits_once), ("wine", wine_once)):
        done = fdd("export", run, "--to", "huggingface", "--out", tmp_path / name)
        assert done.exit_code == 0, done.output
        cache = str(tmp_path / "cache")
        opened[name] = cast(Any, load_dataset(str(tmp_path / name), split="train", cache_dir=cache))
    digits, wine = opened["digits"], opened["wine"]
    assert isinstance(digits.features["label"], ClassLabel)
    pixels = np.stack([np.asarray(image) for image in digits["image"]]) / 255
    np.testing.assert_allclose(pixels, units(digits_once)[:, 0].clip(0, 1), atol=0.002)
    assert wine.features["kind"].names == ["one", "two", "zero"]
    np.testing.assert_allclose(wine["hue"], units(wine_once)[:, 5], atol=written("hue"))


def test_cards_say_what_it_is(fdd, digits_once, tmp_path, monkeypatch):
    assert fdd("export", digits_once, "--to", "huggingface", "--out", tmp_path / "e").exit_code == 0
    summary = load_run(digits_once).summary
    card = ModelCard.load(tmp_path / "e" / "model" / "README.md")
    (result,) = cast(Any, card.data).eval_results
    assert result.metric_value == round(summary.accuracy, 4)
    for card_ in (card, DatasetCard.load(tmp_path / "e" / "README.md")):
        for part in (f"{summary.accuracy:.1%}", "The records are real ones", "| seed | 0 |"):
            assert part in card_.text
    # what the card tells a reader to run gives the run's own model
    code = card.text.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path / "e" / "model")
    x = torch.zeros(1, 1, 8, 8)
    told: dict[str, Any] = {"x": x}
    exec(code, told)
    np.savez(tmp_path / "x.npz", x=x.numpy())
    fdd("predict", digits_once, tmp_path / "x.npz", "--out", tmp_path / "p.csv")
    found = pd.read_csv(tmp_path / "p.csv")[list("0123456789")]
    np.testing.assert_allclose(told["probabilities"].detach(), found, atol=1e-6)


def test_what_the_card_of_a_table_says_reads_a_table(fdd, wine_once, tmp_path, monkeypatch):
    assert fdd("export", wine_once, "--to", "csv", "--out", tmp_path / "e").exit_code == 0
    folder = tmp_path / "e" / "model"
    assert read_schema(str(tmp_path / "e" / "schema.toml")) == load_run(wine_once).schema
    table = cast(Any, load_wine(as_frame=True)).frame
    table.to_csv(folder / "patients.csv", index=False)
    fdd("predict", wine_once, folder / "patients.csv", "--out", tmp_path / "p.csv")
    code = ModelCard.load(folder / "README.md").text.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(folder)
    told: dict[str, Any] = {}
    exec(code, told)
    found = pd.read_csv(tmp_path / "p.csv")[["one", "two", "zero"]]
    np.testing.assert_allclose(told["probabilities"].detach(), found, atol=1e-5)


def test_picked_records_are_called_real(fdd, digits_once, tmp_path):
    done = fdd("export", digits_once, "--to", "npz", "--out", tmp_path / "a")
    assert "picks real records" in done.stderr
    told = json.loads(
        fdd("export", digits_once, "--to", "npz", "--out", tmp_path / "b", "--json").stdout
    )
    assert told["real_records"] is True
    assert "model/README.md" in told["files"]


def test_odd_names_and_soft_labels(fdd, odd, tmp_path):
    done = fdd("export", odd, "--to", "images")  # into the run's folder
    assert done.exit_code == 0, done.output
    root = odd / "export-images" / "images"
    facts = pd.read_csv(root / "metadata.csv")
    assert list(facts["label"]) == list(CLASSES)
    assert list(facts[f"p_{CLASSES[0]}"]) == [0.75, 0.0]
    assert list(facts["set"].isna()) == [True, True]
    with Image.open(root / facts["file_name"][0]) as image:
        assert (image.mode, image.size) == ("RGB", (5, 4))
    assert {path.name for path in root.iterdir() if path.is_dir()} == {
        "_script src__http___evil.example_x.js__alert_1___script_",
        "two_dollars_",
    }
    assert "<script" not in (odd / "export-images" / "README.md").read_text()
    done = fdd("export", odd, "--to", "huggingface")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("form", "complaint"),
    [("xml", "one of images, npz, csv"), ("images", "images of 1 or 3 channels; got vector of 13")],
)
def test_nothing_is_left_of_what_cannot_be_done(fdd, wine_once, tmp_path, form, complaint):
    result = fdd("export", wine_once, "--to", form, "--out", tmp_path / "e")
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_is_left_alone(fdd, wine_once, tmp_path):
    (tmp_path / "e").mkdir()
    assert fdd("export", wine_once, "--to", "csv", "--out", tmp_path / "e").exit_code == 0
    before = sorted((tmp_path / "e").rglob("*"))
    result = fdd("export", wine_once, "--to", "npz", "--out", tmp_path / "e")
    assert result.exit_code == 2
    assert "one that holds files" in result.stderr
    assert sorted((tmp_path / "e").rglob("*")) == before
