"""CSV and Parquet tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fdd_flower.config import DataConfig
from fdd_flower.data import SOURCES
from fdd_flower.data.base import Source
from fdd_flower.errors import DataError

GOOD = "label,b,a\nyes,1,2\nno,3.5,4\nyes,5,6\n"


def read(path: Path, label: str = "label") -> Source:
    return SOURCES.get("table")(DataConfig(name="table", path=str(path), label=label))


def csv(tmp_path: Path, text: str) -> Path:
    (tmp_path / "data.csv").write_text(text)
    return tmp_path / "data.csv"


def test_columns_are_sorted_and_classes_are_text(tmp_path: Path) -> None:
    source = read(csv(tmp_path, GOOD))
    np.testing.assert_array_equal(source.train.inputs, [[2, 1], [4, 3.5], [6, 5]])
    assert source.train.inputs.dtype == np.float64
    assert source.classes == ("no", "yes")
    assert source.train.labels.tolist() == [1, 0, 1]


def test_the_order_of_columns_does_not_count(tmp_path: Path) -> None:
    first = read(csv(tmp_path, GOOD))
    frame = pd.read_csv(tmp_path / "data.csv")[["a", "label", "b"]]
    second = read(csv(tmp_path, frame.to_csv(index=False)))
    np.testing.assert_array_equal(first.train.inputs, second.train.inputs)


def test_parquet_holds_the_same(tmp_path: Path) -> None:
    frame = pd.read_csv(csv(tmp_path, GOOD))
    frame.to_parquet(tmp_path / "data.parquet")
    first, second = read(tmp_path / "data.csv"), read(tmp_path / "data.parquet")
    np.testing.assert_array_equal(first.train.inputs, second.train.inputs)
    np.testing.assert_array_equal(first.train.labels, second.train.labels)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["10", "9", "1"], ("1", "10", "9")),
        (["1.0", "2", "1"], ("1", "2")),
        (["1.0", "2.0"], ("1.0", "2.0")),
    ],
)
def test_a_class_is_called_what_the_file_says(
    labels: list[str], classes: tuple[str, ...], tmp_path: Path
) -> None:
    text = "x,kind\n" + "".join(f"0,{label}\n" for label in labels)
    assert read(csv(tmp_path, text), "kind").classes == classes


def test_parquet_labels_become_text(tmp_path: Path) -> None:
    pd.DataFrame({"x": [1, 2], "label": [7, 8], "on": [True, False]}).to_parquet(
        tmp_path / "d.parquet"
    )
    source = read(tmp_path / "d.parquet")
    assert source.classes == ("7", "8")
    np.testing.assert_array_equal(source.train.inputs, [[1, 1], [0, 2]])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_folder_holds_train_and_test(suffix: str, tmp_path: Path) -> None:
    frames = {
        "train": pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0], "label": ["n", "p"]}),
        "test": pd.DataFrame({"b": [5.0], "label": ["q"], "a": [6.0]}),
    }
    for name, frame in frames.items():
        path = tmp_path / f"{name}{suffix}"
        if suffix == ".csv":
            frame.to_csv(path, index=False)
        else:
            frame.to_parquet(path)
    source = read(tmp_path)
    assert source.classes == ("n", "p", "q")
    assert source.test is not None
    np.testing.assert_array_equal(source.test.inputs, [[6, 5]])
    assert source.test.labels.tolist() == [2]


def test_a_folder_may_hold_train_alone(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(GOOD)
    assert read(tmp_path).test is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind,a\nx,1\n", "data.label: expected one of the columns kind, a; got 'label'. Set"),
        ("label,a\nx,1\ny,inf\n", "column 'a': expected finite.*inf in row 2,"),
        (
            "label,a\nx,1e300\n",
            "column 'a': expected finite.*1e\\+300 in row 1,.*drop",
        ),
        ("label,a\nx,1\n,2\n", "column 'label': expected a class.*row 2,"),
        (",label,a\n0,x,1\n", "an empty one for column 1 .*index=False"),
        ("Unnamed: 0,label,a\n0,x,1\n", "for column 1 .'Unnamed: 0' in pandas.*index=False"),
        (
            "Patient,,Labs,\nlabel,Age,CRP,Hb\nx,1,2,3\n",
            "one for column 2, 4 .*two lines or of merged",
        ),
        ("label,Age,\nx,1,2\ny,3,4\n", "for column 3 .*Name each"),
        ("label,a\nx,1,2\ny,3,4\n", "more fields than the header"),
        ("label\nx\n", "1 row and 1 column"),
        ("label,a\n", "0 rows and 2 columns"),
        ("", "a table that pandas can read.*UTF-8"),
        ('label,a\nx,1\ny,2,3,4\n"', "a table that pandas can read"),
    ],
)
def test_a_bad_table_says_what_is_wrong(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read(csv(tmp_path, text))
    assert "data.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "d.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(DataError, match=r"d\.parquet: expected a table"):
        read(tmp_path / "d.parquet")


def test_another_ending_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.sav").write_text("")
    with pytest.raises(DataError, match=r"ends in \.csv, .*\.xlsx; got \.sav\. Save"):
        read(tmp_path / "data.sav")


def test_a_folder_without_a_training_table_lists_what_is_there(tmp_path: Path) -> None:
    csv(tmp_path, GOOD)
    with pytest.raises(DataError, match=r"train\.csv or train\.parquet.*; got data\.csv\. Rename"):
        read(tmp_path)


def test_both_splits_have_the_same_columns(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(GOOD)
    (tmp_path / "test.csv").write_text("label,a,c\nyes,1,2\n")
    with pytest.raises(DataError, match=r"test\.csv: .*different columns: b, c\. Write"):
        read(tmp_path)


def test_columns_may_be_chosen_or_left_out(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("a,b,c,label\n" + "1,2,3,x\n4,5,7,y\n" * 3)

    def names(columns: str) -> list[str]:
        cfg = DataConfig(name="table", path=str(path), columns=columns)
        return [column.name for column in SOURCES.get("table")(cfg).columns]

    assert names("c, a") == ["a", "c"]
    assert names("-a") == ["b", "c"]
    assert names("-b,-c") == ["a"]
    with pytest.raises(DataError, match=r"data\.columns: expected columns among a, b, c, .*got d"):
        names("a,d")
    with pytest.raises(DataError, match=r"data\.columns: expected a column beside the label"):
        names("-a,-b,-c")


@pytest.mark.parametrize("cell", [[1, 2], {"low": 1}])
def test_cells_of_several_values_are_refused(cell: object, tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2, 3, 4], "b": [None, cell] * 2, "label": ["x", "y"] * 2})
    frame.to_parquet(tmp_path / "data.parquet")
    with pytest.raises(DataError, match=r"column 'b': expected one value in a cell.*columns=-b"):
        read(tmp_path / "data.parquet")
    cfg = DataConfig(name="table", path=str(tmp_path / "data.parquet"), columns="-b")
    assert len(SOURCES.get("table")(cfg).columns) == 1
