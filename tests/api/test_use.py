"""What a synthetic set is used for: shown, exported, trained on, measured."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import accuracy_score, log_loss, recall_score
from torch import nn
from torch.utils.data import DataLoader

import fdd_flower as fdd
from fdd_flower.errors import DataError
from fdd_flower.run_folder.saved_set import load_set
from fdd_flower.schema import Column, Normalisation, Schema
from fdd_flower.synthetic_set import SyntheticSet as Core


def make(shape: tuple[int, ...], columns: tuple[str, ...] = (), n: int = 8) -> fdd.SyntheticSet:
    rng, channels = torch.Generator().manual_seed(1), shape[0]
    return fdd.SyntheticSet(
        inputs=torch.randn(n, *shape, generator=rng),
        targets=torch.eye(2)[torch.arange(n) % 2],
        weights=torch.arange(1.0, n + 1),
        meta={"distiller": "dm", "bytes": "1234"},
        schema=Schema(
            classes=("<b>cat</b>", "dog"),
            feature_shape=shape,
            normalisation=Normalisation(mean=(0.4,) * channels, std=(0.2,) * channels),
            columns=tuple(Column(name=name) for name in columns),
        ),
    )


def test_a_saved_set_is_the_file_that_a_run_leaves(tmp_path):
    small = make((1, 4, 4))
    saved = load_set(small.save(tmp_path / "s.safetensors"))
    assert saved.classes == small.classes
    assert saved.normalisation == small.schema.normalisation
    assert torch.equal(saved.set.inputs, small.inputs)
    with pytest.raises(DataError, match="none"):
        fdd.SyntheticSet.load(tmp_path / "none")


def test_a_series_keeps_its_channels_and_rate(tmp_path):
    plain = make((2, 3))
    named = replace(plain, schema=replace(plain.schema, channels=("x", "y"), rate=50.0))
    again = fdd.SyntheticSet.load(named.save(tmp_path / "s.safetensors"))
    assert again.schema == named.schema
    assert again.meta == plain.meta
    wide = ["x_0", "x_1", "x_2", "y_0", "y_1", "y_2"]
    assert again.to_frame().columns.tolist() == [*wide, "class", "weight"]


def test_it_says_what_it_is():
    assert repr(make((1, 4, 4))) == (
        "SyntheticSet(8 rows of 2 classes for 36 real records; images of 1x4x4; 1.23 kB)"
    )
    assert "series of 2 channels and 5 steps" in repr(make((2, 5)))
    half = replace(make((3,)), targets=torch.eye(2)[[0] * 8], meta={})
    assert "8 rows of 1 of 2 classes" in repr(half)
    assert half.num_bytes == 4 * (8 * 3 + 8 * 2 + 8)


@pytest.mark.parametrize("shape", [(1, 4, 4), (2, 5)])
def test_a_notebook_shows_a_picture_that_opens(shape, tmp_path):
    small = make(shape)
    html = small._repr_html_()
    assert "<b>cat</b>" not in html
    found = re.search(r'src="data:image/png;base64,([^"]+)"', html)
    assert found
    picture = Image.open(BytesIO(base64.b64decode(found[1])))
    small.show(tmp_path / "s.png")
    assert Image.open(tmp_path / "s.png").size == picture.size


def test_a_notebook_shows_a_table_of_vectors():
    html = make((3,), ("age", "<i>pulse</i>", "class"), n=40)._repr_html_()
    heads = re.findall(r"<th>(.*?)</th>", html)
    assert heads == ["class_", "weight", "age", "&lt;i&gt;pulse&lt;/i&gt;", "class"]
    assert html.count("<tr>") == 12
    assert "12 of 40 rows" in html
    assert "<b>cat</b>" not in html


def test_a_table_does_not_hide_a_column():
    with pytest.raises(DataError, match="class_"):
        make((2,), ("age", "class")).to_frame()
    frame = make((2,), ("age", "class")).to_frame(label="diagnosis")
    assert frame.columns.tolist() == ["age", "class", "diagnosis", "weight"]


def test_a_data_loader_takes_it():
    small = make((2, 5))
    x, y = next(iter(DataLoader(small.to_torch_dataset(), batch_size=4)))
    assert torch.equal(x, small.inputs[:4])
    assert y.tolist() == [0, 1, 0, 1]
    parts = small.to_torch_dataset(soft=True, weights=True).tensors
    assert torch.equal(parts[1], small.targets)
    assert torch.equal(parts[2], small.weights)


def test_evaluation_is_that_of_scikit_learn():
    small = make((3,), n=40)
    rng = np.random.default_rng(2)
    x = rng.standard_normal((60, 3))
    y = np.array(small.classes)[rng.integers(0, 2, 60)]
    model = fdd.train(small, "mlp", steps=5)
    found, shares = fdd.evaluate(model, x, y), model.predict_proba(x)
    assert found.accuracy == pytest.approx(accuracy_score(y, model.predict(x)))
    sums = shares.astype(float) / shares.sum(axis=1, keepdims=True)
    assert found.loss == pytest.approx(log_loss(y, sums), rel=1e-5)
    recall = np.array([recall_score(y == name, model.predict(x) == name) for name in small.classes])
    assert list(found.accuracy_per_class) == list(small.classes)
    assert list(found.accuracy_per_class.values()) == pytest.approx(recall)
    assert found.balanced_accuracy == pytest.approx(recall.mean())
    assert found.majority == pytest.approx(np.unique(y, return_counts=True)[1].max() / 60)
    assert repr(found).startswith(f"accuracy {found.accuracy:.1%}")


def test_the_same_seed_trains_the_same_model_and_another_another():
    small = make((3,))
    one, same, other = (
        fdd.train(small, "mlp", steps=3, seed=seed, model_width=4).state_dict()
        for seed in (1, 1, 2)
    )
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)
    assert one["network.head.weight"].shape == (2, 4)


def test_a_module_of_ones_own_is_trained_in_place():
    small, own, steps = make((3,)), nn.Linear(3, 2), []
    before = own.weight.detach().clone()
    model = fdd.train(small, own, steps=4, progress=lambda done, of: steps.append((done, of)))
    assert model.network is own
    assert not torch.equal(own.weight, before)
    assert steps[-1] == (4, 4)
    with pytest.raises(DataError, match=r"fdd_flower\.train"):
        fdd.evaluate(own, np.zeros((1, 3)), [0])


def test_a_set_without_a_schema_is_refused():
    core = Core(inputs=torch.zeros(2, 3), targets=torch.eye(2), weights=torch.ones(2))
    with pytest.raises(DataError, match=r"SyntheticSet\.load"):
        fdd.train(core)  # pyright: ignore[reportArgumentType]
