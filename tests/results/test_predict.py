"""`fdd predict`: the probabilities that the weights give, whatever form the records come in."""

from __future__ import annotations

import json
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import load_file
from sklearn.datasets import load_digits, load_wine

from fdd_flower.run_folder.load import load_run

DIGITS: Any = load_digits()
WINE: pd.DataFrame = cast(Any, load_wine(as_frame=True)).frame


def logistic(run, x):
    """Return the probabilities of a run's logistic model for raw records, by NumPy alone."""
    schema = load_run(run).schema
    assert schema is not None
    weights = load_file(run / "model.safetensors")
    (matrix,) = (w for w in weights.values() if w.ndim == 2)
    (bias,) = (w for w in weights.values() if w.ndim == 1)
    mean, std = np.array(schema.normalisation.mean), np.array(schema.normalisation.std)
    z = ((x.reshape(len(x), len(mean), -1) - mean[:, None]) / std[:, None]).reshape(len(x), -1)
    logits = z @ matrix.T + bias
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def test_an_archive(fdd, digits_once, tmp_path):
    x = (DIGITS.images[:40] / 16).astype(np.float32)[:, None]
    np.savez(tmp_path / "x.npz", x=x)
    out = tmp_path / "p.csv"
    done = fdd("predict", digits_once, tmp_path / "x.npz", "--out", out)
    assert done.exit_code == 0, done.output
    assert done.stdout.endswith(f"predictions: {out}\n")
    found, want = pd.read_csv(out), logistic(digits_once, x)
    assert list(found) == ["record", *"0123456789", "predicted"]
    assert list(found["record"]) == list(range(40))
    np.testing.assert_allclose(found[list("0123456789")], want, atol=1e-5)
    assert list(found["predicted"]) == list(want.argmax(axis=1))


def test_a_table_by_the_names_of_its_columns(fdd, wine_once, tmp_path):
    frame = WINE
    want = logistic(wine_once, frame[sorted(set(frame) - {"target"})].to_numpy())
    backwards = frame.iloc[:, ::-1].rename(columns={"target": "kind"})
    backwards.to_parquet(tmp_path / "wine.parquet")
    out = tmp_path / "p.parquet"
    done = fdd("predict", wine_once, tmp_path / "wine.parquet", "--out", out, "--json")
    assert done.exit_code == 0, done.output
    found, told = pd.read_parquet(out), json.loads(done.stdout)
    names = ["one", "two", "zero"]
    np.testing.assert_allclose(found[names], want, atol=1e-4)
    assert list(found["predicted"]) == [names[place] for place in want.argmax(axis=1)]
    assert told["ignored"] == ["kind"]
    assert told["predicted"] == {name: list(found["predicted"]).count(name) for name in names}


def test_images_in_a_folder_or_alone(fdd, digits_once, tmp_path):
    pixels = (DIGITS.images[:4] * 15).astype(np.uint8)
    (tmp_path / "in" / "b").mkdir(parents=True)
    (tmp_path / "in" / "notes.txt").write_text("no image")
    (tmp_path / "in" / ".hidden.png").write_text("no image")
    for name, image in zip(("b/0.png", "1.png", "2.png", "a.png"), pixels, strict=True):
        # colour, and larger: what a camera gives
        Image.fromarray(image).convert("RGB").save(tmp_path / "in" / name)
    done = fdd("predict", digits_once, tmp_path / "in", "--out", tmp_path / "p.csv")
    assert done.exit_code == 0, done.output
    assert "not used: notes.txt" in done.stderr
    found = pd.read_csv(tmp_path / "p.csv").set_index("record")
    assert list(found.index) == ["1.png", "2.png", "a.png", "b/0.png"]
    want = logistic(digits_once, pixels[[1, 2, 3, 0]][:, None] / 255)
    np.testing.assert_allclose(found[list("0123456789")], want, atol=1e-5)
    assert "of more than 8 bits" not in done.stderr
    Image.fromarray(np.full((8, 8), 4095, np.uint16)).save(tmp_path / "in" / "deep.png")
    done = fdd("predict", digits_once, tmp_path / "in", "--out", tmp_path / "deep.csv")
    assert "note: 1 image of more than 8 bits, such as deep.png, beside 4 of 8" in done.stderr
    alone = (tmp_path / "in" / "a.png").rename(tmp_path / "1.2.840")  # as scanners name files
    fdd("predict", digits_once, alone, "--out", tmp_path / "one.csv")
    one = pd.read_csv(tmp_path / "one.csv").set_index("record")
    np.testing.assert_allclose(one.loc["1.2.840", "3"], found.loc["a.png", "3"], atol=1e-6)


def test_another_model_by_its_name_or_its_file(fdd, digits_once, tmp_path):
    np.savez(tmp_path / "x.npz", x=np.zeros((1, 1, 8, 8), np.float32))
    written = []
    for number, model in enumerate(("", "mlp", digits_once / "model-mlp.safetensors")):
        out = tmp_path / f"{number}.csv"
        done = fdd("predict", digits_once, tmp_path / "x.npz", "--model", model, "--out", out)
        assert done.exit_code == 0, done.output
        written.append(out.read_text())
    assert written[0] != written[1] == written[2]


@pytest.mark.parametrize(
    ("write", "complaint"),
    [
        (lambda path: path, "that exists and may be read"),
        (lambda path: np.savez(path, x=np.zeros((2, 8, 9))), "shape (n, 1, 8, 8)"),
        (lambda path: np.savez(path, x=np.full((2, 1, 8, 8), np.nan)), "finite numbers"),
        (lambda path: np.savez(path, y=np.zeros(2)), "an array called x; got y"),
        (lambda path: path.write_text("x"), "a NumPy .npz archive"),
        (lambda path: path.mkdir(), "a folder with images in it"),
    ],
)
def test_records_that_cannot_be_read(fdd, digits_once, tmp_path, write, complaint):
    write(tmp_path / "x.npz")
    result = fdd("predict", digits_once, tmp_path / "x.npz", "--out", tmp_path / "p.csv")
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "p.csv").exists()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda frame: frame.drop(columns=["hue", "ash"]), "without ash, hue"),
        (lambda frame: frame.iloc[:0], "at least one row"),
        (lambda frame: frame.assign(hue="blue"), "column 'hue': expected numbers; got 'blue'"),
        (lambda frame: frame.assign(hue=[None, *frame["hue"][1:]]), "nan in row 1"),
    ],
)
def test_tables_that_do_not_fit(fdd, wine_once, tmp_path, change, complaint):
    change(WINE).to_csv(tmp_path / "x.csv", index=False)
    result = fdd("predict", wine_once, tmp_path / "x.csv", "--out", tmp_path / "p.csv")
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert not (tmp_path / "p.csv").exists()


def test_records_of_another_kind(fdd, digits_once, wine_once, tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    (tmp_path / "x.sav").write_text("")
    Image.new("L", (8, 8)).save(tmp_path / "x.png")
    for run, name, complaint in (
        (digits_once, "x.csv", "image of 1x8x8; got a table"),
        (digits_once, "x.sav", "got .sav"),
        (wine_once, "x.png", "vector of 13; got images"),
    ):
        result = fdd("predict", run, tmp_path / name, "--out", tmp_path / "p.csv")
        assert result.exit_code == 2
        assert complaint in result.stderr


def test_what_is_written_is_checked_first(fdd, digits_once, tmp_path):
    (tmp_path / "taken.csv").write_text("mine")
    for out, complaint in (("taken.csv", "a new file"), ("p.xlsx", ".csv or .parquet; got .xlsx")):
        result = fdd("predict", digits_once, "nowhere.npz", "--out", tmp_path / out)
        assert result.exit_code == 2
        assert complaint in result.stderr
    result = fdd("predict", digits_once, "x", "--out", tmp_path / "p.csv", "--model", "cnn")
    assert "model-cnn.safetensors" in result.stderr
    assert "It has model-mlp.safetensors." in result.stderr
