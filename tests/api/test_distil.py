"""Data in: what comes back are records of the same units, classes and columns."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import fdd_flower as fdd
from fdd_flower.config import Config, PartitionConfig
from fdd_flower.data import load_dataset
from fdd_flower.data.partition import partition_indices
from fdd_flower.errors import ConfigError, DataError
from fdd_flower.ledger import Ledger
from fdd_flower.run_folder.run_dir import LEDGER

# real records, as they are: what comes back can be compared with what went in
AS_THEY_ARE: dict[str, Any] = {"distiller": "random", "codec_name": "float32", "ipc": 3}
RNG = np.random.default_rng(0)
LABELS = np.repeat([0, 1], 20)


def data(*shape: int) -> np.ndarray:
    return (7 + 3 * RNG.standard_normal((40, *shape))).astype(np.float32)


def rows_of(x: np.ndarray, found: np.ndarray) -> list[int]:
    """Return which record of `x` each row of `found` is."""
    far = np.abs(found[:, None] - x[None]).reshape(len(found), len(x), -1).max(axis=2)
    assert far.min(axis=1).max() < 1e-4
    return far.argmin(axis=1).tolist()


PIXELS = RNG.integers(0, 256, (40, 6, 5, 3), dtype=np.uint8)
FORMS = {
    "vectors": (data(4), {}, lambda x: x),
    "a tensor of doubles": (torch.from_numpy(data(4)).double(), {}, lambda x: x.numpy()),
    "square grey images": (data(6, 6), {}, lambda x: x[:, None]),
    "grey images by name": (data(6, 5), {"kind": "image"}, lambda x: x[:, None]),
    "series": (data(3, 9), {}, lambda x: x),
    "square series by name": (data(6, 6), {"kind": "series"}, lambda x: x),
    "channels first": (data(3, 6, 5), {}, lambda x: x),
    "uint8, channels last": (PIXELS, {}, lambda x: x.transpose(0, 3, 1, 2) / 255),
    "uint8 without channels": (PIXELS[..., 0], {}, lambda x: x[:, None] / 255),
    "uint8 vectors": (PIXELS[:, :, 0, 0], {}, lambda x: x),
}


@pytest.mark.parametrize("form", FORMS)
def test_rows_come_back_in_the_units_of_the_data(form: str):
    x, options, expected = FORMS[form]
    small = fdd.distill(x, LABELS, **AS_THEY_ARE, **options)
    found, y, weights = small.to_numpy(weights=True)
    places = rows_of(expected(x), found)
    assert len(set(places)) == 4  # two of each class: one for at least eight records
    assert y.tolist() == LABELS[places].tolist()
    assert weights.tolist() == [10, 10, 10, 10]
    # and every form that went in is taken by a model of the set
    model = fdd.train(small, "logistic", steps=2)
    assert model.predict_proba(x).shape == (40, 2)


def test_a_table_of_words_and_gaps_comes_back_as_one():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "pulse": rng.normal(70, 9, 80).round(1),
            "pain": rng.choice(["none", "typical"], 80),
            "visits": rng.poisson(3, 80),
        }
    )
    table.loc[::7, "pulse"] = None
    small = fdd.distill(table, ["no", "yes"] * 40, ipc=4, distiller="kmeans")
    frame = small.to_frame()
    assert frame.columns.tolist() == ["pulse", "pain", "visits", "class", "weight"]
    assert {*frame["pain"]} <= {"none", "typical"}
    assert {*frame["visits"]} <= {*table["visits"]}
    model = fdd.train(small, "logistic", training_steps=20)
    assert model.predict_proba(table).shape == (80, 2)


def test_a_table_keeps_its_columns_and_classes(tmp_path):
    x, y = data(2), pd.Series(np.where(LABELS, "sick", "well"))
    table = pd.DataFrame(x, columns=["pulse", "age"], index=range(100, 140))
    small = fdd.distill(table, y, **AS_THEY_ARE)
    again = fdd.SyntheticSet.load(small.save(tmp_path / "s.safetensors"))
    assert again.schema == small.schema
    assert again.meta == small.meta
    frame = again.to_frame()
    assert frame.columns.tolist() == ["pulse", "age", "class", "weight"]
    places = rows_of(x, frame[["pulse", "age"]].to_numpy())
    assert frame["class"].tolist() == y[places].tolist()
    # by name, whatever the order and whatever else is there
    model = fdd.train(small, "logistic", steps=20)
    other = table.assign(more=0)[["more", "age", "pulse"]]
    np.testing.assert_allclose(model.predict_proba(other), model.predict_proba(x), atol=1e-6)
    with pytest.raises(DataError, match="without pulse"):
        model.predict(other[["age"]])


def test_a_client_of_a_run_sends_what_distill_makes(tmp_path):
    """The ledger's set of the first client is that of `distill` on the same records."""
    run = fdd.run(
        clients=2,
        rounds=1,
        out=tmp_path / "a",
        seed=3,
        distiller_steps=3,
        distiller_ipc=2,
        training_steps=1,
        progress=False,
    )
    cfg = Config(seed=3, partition=PartitionConfig())
    dataset = load_dataset(cfg.data, seed=3)
    shares = partition_indices(dataset.train.labels, cfg.partition, num_clients=2, seed=3)
    own = dataset.train.take(shares[0])
    names = [dataset.classes[place] for place in own.labels]
    schema = run.model.schema
    small = fdd.distill(own.inputs, names, schema=schema, ipc=2, seed=3, distiller_steps=3)
    ledger = Ledger(tmp_path / "a" / LEDGER)
    sent = next(iter(ledger.sets({"0": ledger.accepted(1)["0"].sha256}).values()))
    assert torch.equal(small.inputs, sent.inputs)
    assert torch.equal(small.targets, sent.targets)
    assert torch.equal(small.weights, sent.weights)


def test_bytes_are_filled_and_not_passed():
    x, y = np.tile(data(1, 8, 8), (5, 1, 1, 1)), np.tile(LABELS, 5)
    few, many = (fdd.distill(x, y, bytes=b, distiller="kmeans") for b in (2300, 2600))
    assert 2100 < few.num_bytes <= 2300 < many.num_bytes <= 2600
    assert len(few) < len(many)


def test_a_small_class_is_left_out_with_a_warning():
    y = np.where(np.arange(40) < 5, "rare", LABELS.astype(str))
    with pytest.warns(UserWarning, match="rare"):
        small = fdd.distill(data(3), y, **AS_THEY_ARE)
    assert set(small.to_numpy()[1]) == {"0", "1"}
    assert small.classes == ("0", "1", "rare")


GOOD = data(3)
BAD = {
    "text": (GOOD.astype(str), LABELS, {}, "Encode text as numbers"),
    "lists of two lengths": ([[1.0], [1.0, 2.0]], [0, 1], {}, "one shape"),
    "a column": (GOOD[:, 0], LABELS, {}, r"x\.reshape\(-1, 1\)"),
    "a missing value": (
        np.where(np.arange(40)[:, None] == 7, np.nan, GOOD),
        LABELS,
        {},
        "record 7",
    ),
    "free text": (
        pd.DataFrame({"a": [f"id {i}" for i in range(40)]}),
        LABELS,
        {},
        "'a'.*free text",
    ),
    "no cell": (pd.DataFrame({"a": [None] * 40}), LABELS, {}, "at least one to learn from"),
    "one-hot labels": (GOOD, np.eye(2)[LABELS], {}, r"y\.argmax\(1\)"),
    "a measure as label": (GOOD, GOOD[:, 0], {}, "pandas.cut"),
    "a missing label": (GOOD, [None, *LABELS[1:]], {}, "record 0"),
    "too few labels": (GOOD, LABELS[1:], {}, "40 labels, one a record; got 39"),
    "one class": (GOOD, np.zeros(40), {}, "classes="),
    "an unknown label": (GOOD, LABELS, {"classes": ["0", "2"]}, "got '1'"),
    "a class twice": (GOOD, LABELS, {"classes": ["a", "a"]}, "each class once"),
    "columns of another number": (GOOD, LABELS, {"columns": ["a"]}, "each of 3 features"),
    "no such kind": (GOOD, LABELS, {"kind": "sound"}, "image, series, vector"),
    "vectors called images": (GOOD, LABELS, {"kind": "image"}, "images"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_data_is_refused_with_a_remedy(case: str):
    x, y, options, told = BAD[case]
    with pytest.raises(DataError, match=told):
        fdd.distill(x, y, **AS_THEY_ARE, **options)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"bytes": 100, "ipc": 2}, "got both"),
        ({"ipc": 0}, "from 1 to"),
        ({"steps": 3}, "distiller_steps"),
        ({"distiller_step": 3}, "distiller_steps"),
        ({"training_steps": 3}, "distiller, codec, runtime"),
        ({"distiller": "dmm"}, "dm-krr"),
        ({"distiller_small_classes": "refuse"}, r"distiller\.small-classes: .*older version"),
    ],
)
def test_bad_settings_are_refused_by_the_name_that_was_typed(options: dict, told: str):
    with pytest.raises(ConfigError, match=told):
        fdd.distill(GOOD, LABELS, **options)


def test_names_of_classes_are_places_where_they_are_no_numbers():
    named = fdd.distill(GOOD, LABELS, classes=["benign", "malignant"], **AS_THEY_ARE)
    assert named.to_numpy()[1].tolist() == ["benign"] * 2 + ["malignant"] * 2
    numbered = fdd.distill(GOOD, 5 + 5 * LABELS, classes=[10, 5], **AS_THEY_ARE)
    assert numbered.classes == ("10", "5")
    assert set(numbered.to_numpy()[1].tolist()) == {5, 10}
    # in the order of numbers, not of letters
    assert fdd.distill(GOOD, 9 + LABELS, **AS_THEY_ARE).classes == ("9", "10")


def test_brightness_of_other_units_is_refused_by_a_model_of_bytes():
    small = fdd.distill(PIXELS, LABELS, **AS_THEY_ARE)
    model = fdd.train(small, "logistic", steps=2)
    with pytest.raises(DataError, match=re.escape("astype('uint8')")):
        model.predict(PIXELS.astype(float))
    np.testing.assert_allclose(
        model.predict_proba(PIXELS / 255), model.predict_proba(PIXELS), atol=1e-5
    )
