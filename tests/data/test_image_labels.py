"""Images in one folder, and tables that say their classes."""

from pathlib import Path

import pytest
from PIL import Image

from fdd_flower.config import DataConfig
from fdd_flower.data import SOURCES
from fdd_flower.data.base import Source
from fdd_flower.errors import DataError

NAMES = ("007.png", "8.png", "b.png", "c.png")


def read(path: Path, label: str = "label") -> Source:
    return SOURCES.get("folder")(
        DataConfig(name="folder", path=str(path), label=label, image_size=4)
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder of four images, whose grey levels are 0, 1, 2 and 3."""
    (tmp_path / "images").mkdir()
    for level, name in enumerate(NAMES):
        Image.new("L", (4, 4), level).save(tmp_path / "images" / name)
    return tmp_path


def found(source: Source) -> dict[int, str]:
    """Return the class of each training image, by its grey level."""
    levels = source.train.inputs[:, 0, 0, 0].tolist()
    return {
        level: source.classes[k]
        for level, k in zip(levels, source.train.labels.tolist(), strict=True)
    }


WANTED = {0: "cat", 1: "dog", 2: "cat", 3: "dog"}


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("labels.csv", "file,label\n007.png,cat\n8.png,dog\nb.png,cat\nc.png,dog\n"),
        ("labels.csv", "id,age,Diagnosis\n007,1,cat\n8,2,dog\nb,3,cat\nc,4,dog\n"),
        (
            "labels.csv",
            "images/007.png;cat\nimages/8.png;dog\nimages/b.png;cat\nimages/c.png;dog\n",
        ),
        ("images/l.tsv", "img\tkind\nC:\\x\\007.png\tcat\n"),
        ("labels.csv", "file,cat,dog\n007.png,1,0\n8.png,0,1.0\nb.png,1,0\nc.png,0,1\n"),
        (
            "labels.csv",
            '\ufefffile, class \n007.PNG , cat\n8.png,dog\n"b.png",cat\n./images/c.png,dog\n',
        ),
    ],
)
def test_a_table_says_the_classes(table: str, text: str, root: Path) -> None:
    if text.startswith("images"):
        text = "path;y\n" + text
    if "\\x" in text:
        text = "img\tkind\n007.png\tcat\n8.png\tdog\nimages\\b.png\tcat\nimages\\c.png\tdog\n"
    (root / table).write_text(text, encoding="utf-8")
    source = read(root)
    assert found(source) == WANTED
    assert f"classes from {table}" in source.notes


def test_a_column_of_ones_own(root: Path) -> None:
    text = "file,label,kind\n007.png,1,cat\n8.png,1,dog\nb.png,2,cat\nc.png,2,dog\n"
    (root / "l.csv").write_text(text)
    assert found(read(root, "kind")) == WANTED


def test_splits_of_a_column(root: Path) -> None:
    text = "file,label,split\n007.png,cat,train\n8.png,dog,val\nb.png,cat,test\nc.png,dog,test\n"
    (root / "l.csv").write_text(text)
    source = read(root)
    assert found(source) == {0: "cat", 1: "dog"}
    assert source.test is not None
    assert source.test.inputs[:, 0, 0, 0].tolist() == [2, 3]


def test_a_table_for_each_split_and_a_form_to_hand_in(root: Path) -> None:
    (root / "train.csv").write_text("file,label\n007.png,cat\n8.png,dog\n")
    (root / "test_labels.csv").write_text("file,label\nb.png,cat\nc.png,dog\n")
    (root / "sample_submission.csv").write_text("file,label\nb.png,cat\nc.png,cat\n")
    source = read(root)
    assert found(source) == {0: "cat", 1: "dog"}
    assert source.test is not None
    assert source.test.labels.tolist() == [0, 1]


def test_images_without_a_class_are_left_out_with_a_word(root: Path) -> None:
    (root / "l.csv").write_text("file,label\n007.png,cat\n8.png,dog\nb.png,\n")
    source = read(root)
    assert found(source) == {0: "cat", 1: "dog"}
    assert "classes from l.csv, 1 without a class" in source.notes
    assert any("left out 2 files: images/b.png, images/c.png" in note for note in source.notes)


def test_rows_without_an_image_are_named(root: Path) -> None:
    rows = "".join(f"x{i}.png,dog\n" for i in range(3))
    (root / "l.csv").write_text("file,label\n" + "".join(f"{n},cat\n" for n in NAMES) + rows)
    with pytest.raises(DataError, match=r"l\.csv: column 'file'.*3 of 7 .*x0\.png, x1\.png, x2"):
        read(root)


@pytest.mark.parametrize(
    "rows", ["file,label\na.png,cat\nx.png,dog\ny.png,dog\n", "file\na.png\nb.png\n"]
)
def test_a_table_that_says_too_little_is_named(tmp_path: Path, rows: str) -> None:
    for name in ("a", "b"):
        Image.new("L", (4, 4)).save(tmp_path / f"{name}.png")
    (tmp_path / "l.csv").write_text(rows)
    with pytest.raises(DataError, match=r"got l\.csv: no column names an image .* Correct"):
        read(tmp_path)


def test_an_unclear_column_is_asked_for(root: Path) -> None:
    rows = "".join(f"{n},1,{i}\n" for i, n in enumerate(NAMES))
    (root / "l.csv").write_text("file,site,age\n" + rows)
    with pytest.raises(DataError, match=r"data\.label: .*'label', among site, age\. Set data"):
        read(root)


def test_a_table_of_other_things_leaves_folders_as_classes(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.new("L", (4, 4)).save(tmp_path / name / f"{name}.png")
    (tmp_path / "prices.csv").write_text("thing,price\nbread,3\n")
    (tmp_path / "meta.csv").write_text("file,width,height\ncat.png,4,4\ndog.png,4,4\n")
    source = read(tmp_path)
    assert source.classes == ("cat", "dog")
    assert source.notes == ("left out 2 files: meta.csv, prices.csv",)
