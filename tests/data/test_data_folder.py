"""Image folders that Pillow writes here."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fdd_flower.config import DataConfig
from fdd_flower.data import SOURCES, load_own
from fdd_flower.data.base import Source
from fdd_flower.errors import DataError
from fdd_flower.schema import Normalisation


def read(path: Path, size: int = 6) -> Source:
    return SOURCES.get("folder")(DataConfig(name="folder", path=str(path), image_size=size))


def pixels(seed: int, *, mode: str = "RGB", size: int = 6) -> np.ndarray:
    shape = (size, size) if mode == "L" else (size, size, len(mode))
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def save(path: Path, values: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def test_a_class_a_sub_folder_in_sorted_order(tmp_path: Path) -> None:
    save(tmp_path / "dog" / "1.png", pixels(1))
    save(tmp_path / "cat" / "b.png", pixels(2))
    save(tmp_path / "cat" / "a.png", pixels(3))
    source = read(tmp_path)
    assert source.classes == ("cat", "dog")
    assert source.test is None
    assert source.train.labels.tolist() == [0, 0, 1]
    expected = np.stack([pixels(s).transpose(2, 0, 1) for s in (3, 2, 1)])
    np.testing.assert_array_equal(source.train.inputs, expected)
    assert source.train.inputs.dtype == np.uint8


def test_train_and_test_are_splits(tmp_path: Path) -> None:
    for i, name in enumerate(("train/a", "train/b", "test/b", "test/c")):
        save(tmp_path / name / "x.png", pixels(i))
    save(tmp_path / "notes" / "x.png", pixels(9))
    source = read(tmp_path)
    assert source.classes == ("a", "b", "c")
    assert source.train.labels.tolist() == [0, 1]
    assert source.test is not None
    assert source.test.labels.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("train", "test"),
    [("train", "val"), ("Training", "Testing"), ("TRAIN", "tests"), ("trn", "validation")],
)
def test_split_folders_go_by_many_names(train: str, test: str, tmp_path: Path) -> None:
    for i, part in enumerate((train, test)):
        save(tmp_path / part / "cat" / "x.png", pixels(i))
        save(tmp_path / part / "dog" / "x.png", pixels(i + 2))
    source = read(tmp_path)
    assert source.classes == ("cat", "dog")
    assert source.test is not None
    np.testing.assert_array_equal(source.test.inputs[1], pixels(3).transpose(2, 0, 1))
    assert source.notes == (f"splits: {train} is the training split, {test} is the test split",)


def test_a_validation_split_beside_a_test_split_is_trained_on(tmp_path: Path) -> None:
    for i, part in enumerate(("train", "val", "test")):
        save(tmp_path / "data" / part / "cat" / "x.png", pixels(i))
    source = read(tmp_path)
    expected = np.stack([pixels(i).transpose(2, 0, 1) for i in (0, 1)])
    np.testing.assert_array_equal(source.train.inputs, expected)
    assert source.test is not None
    assert len(source.test) == 1
    assert source.notes[0] == "the data is in data"
    assert "val is a training split too" in source.notes[1]


def test_a_test_folder_without_classes_is_not_used(tmp_path: Path) -> None:
    save(tmp_path / "train" / "cat" / "x.png", pixels(1))
    save(tmp_path / "test" / "y.png", pixels(2))
    source = read(tmp_path)
    assert (len(source.train), source.test) == (1, None)
    assert source.notes == (
        "test has no folders of classes, and is not used",
        "splits: train is the training split",
        "left out 1 file: test/y.png",
    )


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    for name in ("bus", "train"):
        save(tmp_path / name / "x.png", pixels(1))
    assert read(tmp_path).classes == ("bus", "train")


def test_two_folders_for_one_split_are_refused(tmp_path: Path) -> None:
    for name in ("train", "Training", "test"):
        save(tmp_path / name / "a" / "x.png", pixels(1))
    with pytest.raises(DataError, match="one folder for each split; got Training and train"):
        read(tmp_path)


def test_all_grey_stays_grey(tmp_path: Path) -> None:
    save(tmp_path / "a" / "x.png", pixels(1, mode="L"))
    Image.fromarray(pixels(2, mode="L") > 127).save(tmp_path / "a" / "y.png")
    inputs = read(tmp_path).train.inputs
    assert inputs.shape == (2, 1, 6, 6)
    np.testing.assert_array_equal(inputs[0, 0], pixels(1, mode="L"))
    np.testing.assert_array_equal(inputs[1, 0], np.where(pixels(2, mode="L") > 127, 255, 0))


def test_one_colour_image_makes_all_of_them_colour(tmp_path: Path) -> None:
    save(tmp_path / "train" / "a" / "x.png", pixels(1, mode="L"))
    save(tmp_path / "test" / "a" / "y.png", pixels(2))
    inputs = read(tmp_path).train.inputs
    np.testing.assert_array_equal(inputs, np.stack([[pixels(1, mode="L")] * 3]))


def test_other_sizes_and_modes_become_square_rgb(tmp_path: Path) -> None:
    save(tmp_path / "a" / "1.png", np.full((9, 5, 4), (10, 20, 30, 255), dtype=np.uint8))
    Image.fromarray(pixels(1)).quantize(4).save(tmp_path / "a" / "2.png")
    Image.fromarray(pixels(1)).convert("CMYK").save(tmp_path / "a" / "3.jpg")
    inputs = read(tmp_path, size=8).train.inputs
    assert inputs.shape == (3, 3, 8, 8)
    np.testing.assert_array_equal(inputs[0, :, 0, 0], [10, 20, 30])


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 3  # taken upside down
    Image.fromarray(pixels(4)).save(tmp_path / "a" / "x.png", exif=exif)
    turned = np.rot90(pixels(4), 2).transpose(2, 0, 1)
    np.testing.assert_array_equal(read(tmp_path).train.inputs[0], turned)


def test_hidden_files_are_left_out(tmp_path: Path) -> None:
    save(tmp_path / "a" / "x.png", pixels(1))
    save(tmp_path / ".cache" / "x.png", pixels(1))
    (tmp_path / "a" / ".DS_Store").write_bytes(b"?")
    (tmp_path / "README").write_text("about")
    source = read(tmp_path)
    assert (source.classes, len(source.train)) == (("a",), 1)


def test_deeper_folders_belong_to_their_class(tmp_path: Path) -> None:
    save(tmp_path / "a" / "2024" / "x.png", pixels(1))
    assert len(read(tmp_path).train) == 1


@pytest.mark.parametrize("keep", [0, 30, -40])
def test_a_damaged_image_is_named(keep: int, tmp_path: Path) -> None:
    save(tmp_path / "a" / "good.png", pixels(1, size=40))
    bad = save(tmp_path / "a" / "bad.png", pixels(2, size=40))
    bad.write_bytes(bad.read_bytes()[:keep])
    with pytest.raises(
        DataError, match=r"bad\.png: expected an image.*Replace or remove"
    ) as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


def test_litter_and_other_files_are_left_out_with_a_word(tmp_path: Path) -> None:
    save(tmp_path / "a" / "x.png", pixels(1))
    save(tmp_path / "b" / "x.png", pixels(2))
    save(tmp_path / "__MACOSX" / "a" / "x.png", pixels(3))
    for name in ("a/Thumbs.db", "a/._x.png", "b/desktop.ini", "a/notes.txt", "README"):
        (tmp_path / name).write_bytes(b"?")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "about.md").write_text("about")
    source = read(tmp_path)
    assert (source.classes, len(source.train)) == (("a", "b"), 2)
    assert source.notes == (
        "docs holds no image and is not taken for a class",
        "left out 3 files: README, a/notes.txt, docs/about.md",
        "left out 4 hidden or of the system, such as Thumbs.db",
    )


def test_all_bad_images_are_counted_and_twenty_named(tmp_path: Path) -> None:
    save(tmp_path / "a" / "good.png", pixels(1))
    for i in range(23):
        (tmp_path / "a" / f"{i:02}.jpg").write_bytes(b"?")
    with pytest.raises(DataError, match=r"23 of 24 .*a/00\.jpg .*a/19\.jpg .*and 3 more") as caught:
        read(tmp_path)
    assert "a/20.jpg" not in str(caught.value)


def test_an_empty_class_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a" / "x.png", pixels(1))
    (tmp_path / "b").mkdir()
    with pytest.raises(DataError, match=r"/b: .*empty folder\. Add images"):
        read(tmp_path)


def test_no_sub_folders_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "x.png", pixels(1))
    with pytest.raises(DataError, match=r"got no sub-folder\. Move the images"):
        read(tmp_path)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_node_has_the_channels_of_the_federation(channels: int, tmp_path: Path) -> None:
    values = pixels(1, mode="L" if channels == 3 else "RGB")
    save(tmp_path / "a" / "x.png", values)
    split = load_own(
        DataConfig(name="folder", image_size=6),
        path=str(tmp_path),
        classes=("a", "b"),
        feature_shape=(channels, 6, 6),
        normalisation=Normalisation(mean=(0.0,) * channels, std=(1.0,) * channels),
    )
    expected = np.asarray(Image.fromarray(values).convert("RGB" if channels == 3 else "L"))
    found = split.inputs[0].permute(1, 2, 0).numpy() * 255
    np.testing.assert_allclose(found, expected.reshape(6, 6, channels), atol=1)


def test_a_link_to_above_is_no_class(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.new("L", (4, 4)).save(tmp_path / name / "0.png")
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to("self")
    assert read(tmp_path, 4).classes == ("cat", "dog")


def test_links_are_followed(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    for i in range(3):
        save(elsewhere / f"{i}.png", pixels(i))
    save(root / "cat" / "own.png", pixels(3))
    save(root / "dog" / "own.png", pixels(4))
    (root / "cat" / "more").symlink_to(elsewhere)
    (root / "dog" / "one.png").symlink_to(elsewhere / "0.png")
    (elsewhere / "back").symlink_to(elsewhere)
    (root / "dog" / "above").symlink_to(root)
    source = read(root)
    assert source.train.labels.tolist() == [0, 0, 0, 0, 1, 1]
    assert source.notes == ()
    (root / "dog" / "lost.png").symlink_to(elsewhere / "9.png")
    with pytest.raises(DataError, match=r"lost\.png.*No such file"):
        read(root)


def test_files_named_by_numbers_are_read_for_what_they_are(tmp_path: Path) -> None:
    names = ["1.2.840.113619.2.55", "scan.001", "plain"]
    for i, name in enumerate(names):
        save(tmp_path / "cat" / "x.png", pixels(i)).rename(tmp_path / "cat" / name)
    save(tmp_path / "dog" / "x.png", pixels(3))
    (tmp_path / "dog" / "log.1").write_text("2024-12-31 started")
    source = read(tmp_path)
    assert source.train.labels.tolist() == [0, 0, 0, 1]
    assert source.notes == ("left out 1 file: dog/log.1",)


def test_a_packed_folder_is_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "images.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"expected a folder of images; got a file\. Unpack it"):
        read(tmp_path / "images.zip", 4)
