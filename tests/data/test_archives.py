"""Archives as MedMNIST, Keras and people write them, against the arrays they were made of."""

from pathlib import Path

import numpy as np
import pytest

from fdd_flower.config import DataConfig
from fdd_flower.data import SOURCES, load_own
from fdd_flower.data.base import Source
from fdd_flower.data.unlabelled import read_unlabelled
from fdd_flower.errors import DataError
from fdd_flower.schema import Normalisation, Schema

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 3, 10, 12), dtype=np.uint8)
LAST = IMAGES.transpose(0, 2, 3, 1)
Y = np.array([0, 1, 2, 0, 1, 2])


def npz(path: Path, channels: str = "auto", **arrays: np.ndarray) -> Source:
    np.savez(path / "d.npz", **arrays)  # pyright: ignore[reportArgumentType]
    return SOURCES.get("npz")(DataConfig(name="npz", path=str(path / "d.npz"), channels=channels))


def test_medmnist(tmp_path: Path) -> None:
    source = npz(
        tmp_path,
        train_images=LAST[:3],
        train_labels=Y[:3, None].astype(np.uint8),
        val_images=LAST[3:4],
        val_labels=Y[3:4, None].astype(np.uint8),
        test_images=LAST[4:],
        test_labels=Y[4:, None].astype(np.uint8),
    )
    np.testing.assert_array_equal(source.train.inputs, IMAGES[:4])
    assert source.test is not None
    np.testing.assert_array_equal(source.test.inputs, IMAGES[4:])
    assert source.train.labels.tolist() == [0, 1, 2, 0]
    assert source.classes == ("0", "1", "2")
    assert "val_images is trained on too" in source.notes
    assert (
        "train_images (3, 10, 12, 3) is taken for images with their channels last" in source.notes
    )


def test_grey_medmnist(tmp_path: Path) -> None:
    source = npz(tmp_path, train_images=IMAGES[:, 0], train_labels=Y[:, None])
    np.testing.assert_array_equal(source.train.inputs, IMAGES[:, :1])
    assert source.test is None


@pytest.mark.parametrize(
    "names", ["x_train y_train x_val y_val", "X_train Y_train X_valid Y_valid"]
)
def test_keras(names: str, tmp_path: Path) -> None:
    arrays = (LAST[:4], Y[:4], LAST[4:], Y[4:])
    source = npz(tmp_path, "auto", **dict(zip(names.split(), arrays, strict=True)))
    np.testing.assert_array_equal(source.train.inputs, IMAGES[:4])
    assert source.test is not None  # validation, where there is no test split
    assert source.test.labels.tolist() == [1, 2]


def test_x_and_y_go_before_other_names(tmp_path: Path) -> None:
    source = npz(tmp_path, x=IMAGES, y=Y, targets=np.eye(6), data=IMAGES[:1], x_train=IMAGES[:2])
    assert len(source.train) == 6


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.eye(3)[Y], ("0", "1", "2")),
        (np.eye(3, dtype=bool)[Y], ("0", "1", "2")),
        (Y.astype(np.float32), ("0", "1", "2")),
        (Y + 1, ("1", "2", "3")),
        (np.array([9_999, 0, 55])[Y], ("0", "55", "9999")),
        (Y - 1, ("-1", "0", "1")),
        (np.array(["dog", " cat", "eel"])[Y], ("cat", "dog", "eel")),
        (np.array([b"dog", b"cat", b"eel"])[Y], ("cat", "dog", "eel")),
        (Y == 0, ("0", "1")),
    ],
)
def test_labels_of_all_kinds(labels: np.ndarray, classes: tuple[str, ...], tmp_path: Path) -> None:
    source = npz(tmp_path, x=IMAGES, y=labels)
    assert source.classes == classes
    # the same class wherever it was the same before
    plain = labels.argmax(axis=1) if labels.ndim == 2 else labels
    pairs = set(zip(plain.tolist(), source.train.labels.tolist(), strict=True))
    assert len(pairs) == len(classes)
    if plain.dtype.kind == "i":
        assert [str(number) for number in sorted(set(plain.tolist()))] == list(classes)


def test_nodes_and_server_agree_by_the_number_of_a_class(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", x=IMAGES, y=np.array([7, 9, 7, 9, 9, 9]))
    split = load_own(
        DataConfig(name="npz"),
        path=str(tmp_path / "own.npz"),
        classes=("3", "7", "8", "9"),
        feature_shape=IMAGES.shape[1:],
        normalisation=Normalisation(mean=(0.0,) * 3, std=(1.0,) * 3),
    )
    assert split.labels.tolist() == [1, 3, 1, 3, 3, 3]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_channels_last_are_seen(channels: int, tmp_path: Path) -> None:
    last = RNG.integers(0, 256, (6, 24, 20, channels), dtype=np.uint8)
    for kind in (np.uint8, np.float32, np.int32):
        found = npz(tmp_path, x=last.astype(kind), y=Y).train.inputs
        assert found.dtype == (np.float32 if kind == np.float32 else np.uint8)
        np.testing.assert_array_equal(found, last.transpose(0, 3, 1, 2))


def test_or_asked_for(tmp_path: Path) -> None:
    values = RNG.normal(size=(6, 5, 3, 4)).astype(np.float32)
    np.testing.assert_array_equal(
        npz(tmp_path, x=values, y=Y).train.inputs, np.moveaxis(values, -1, 1)
    )
    np.testing.assert_array_equal(npz(tmp_path, "first", x=values, y=Y).train.inputs, values)
    series = values[:, 0]
    np.testing.assert_array_equal(npz(tmp_path, x=series, y=Y).train.inputs, series)
    np.testing.assert_array_equal(npz(tmp_path, "none", x=series, y=Y).train.inputs[:, 0], series)
    turned = npz(tmp_path, "last", x=series, y=Y).train.inputs
    np.testing.assert_array_equal(turned, series.transpose(0, 2, 1))


def test_square_floats_are_grey_images_and_long_ones_series(tmp_path: Path) -> None:
    picture, series = np.zeros((6, 28, 28)), np.zeros((6, 9, 128))
    source = npz(tmp_path, x=picture, y=Y)
    assert source.train.inputs.shape == (6, 1, 28, 28)
    assert source.notes == ("x (6, 28, 28) is taken for grey images",)
    assert npz(tmp_path, x=series, y=Y).train.inputs.shape == (6, 9, 128)


def test_integers_by_their_range(tmp_path: Path) -> None:
    deep = (IMAGES.astype(np.uint16) * 257).astype(np.uint16)
    found = npz(tmp_path, x=deep, y=Y).train.inputs
    np.testing.assert_allclose(found, IMAGES / 255, rtol=1e-6)  # on one scale with 8 bits
    scan = IMAGES.astype(np.int16) - 1_000
    np.testing.assert_array_equal(npz(tmp_path, x=scan, y=Y).train.inputs, scan)
    flat = npz(tmp_path, x=IMAGES.reshape(6, -1), y=Y).train.inputs
    np.testing.assert_array_equal(flat, IMAGES.reshape(6, -1).astype(np.float32))


def test_splits_of_one_type_and_two_scales_are_refused(tmp_path: Path) -> None:
    wide = IMAGES.astype(np.int32) * 10
    with pytest.raises(DataError, match=r"x_test: expected uint8 .*got float32"):
        npz(tmp_path, x=IMAGES.astype(np.int32), y=Y, x_test=wide, y_test=Y)


@pytest.mark.parametrize("key", ["x", "test_images", "data"])
def test_what_is_predicted_is_read_alike(key: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "new.npz", **{key: LAST.astype(np.int64)})  # pyright: ignore
    schema = Schema(
        classes=("a", "b"),
        feature_shape=IMAGES.shape[1:],
        normalisation=Normalisation(mean=(0.0,) * 3, std=(1.0,) * 3),
    )
    found = read_unlabelled(tmp_path / "new.npz", schema).inputs.numpy()
    np.testing.assert_allclose(found, IMAGES / np.float32(255), rtol=1e-6)
