"""What is said of classes, or refused, before anything starts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from fdd_flower.config import DataConfig
from fdd_flower.data import load_dataset
from fdd_flower.data.base import Records
from fdd_flower.data.checks import check_classes, check_splits, spelling
from fdd_flower.data.subjects import read_source
from fdd_flower.errors import DataError


def records(names: Sequence[str], labels: Sequence[str]) -> Records:
    """Return a record for each label."""
    found = np.array([names.index(label) for label in labels], dtype=np.int64)
    return Records(inputs=np.zeros((len(found), 1), np.float32), labels=found)


def check(train: Sequence[str], test: Sequence[str] | None = None) -> list[str]:
    names = sorted({*train, *(test or ())})
    return check_classes(
        names, records(names, train), None if test is None else records(names, test)
    )


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("<=50K", "<=50K."),
        ("0", "0.0"),
        ("1", "01"),
        ("Cat", "cat"),
        ("cat", "cat "),
        ("non-smoker", "non smoker"),
        ("T cell", "t_cell"),
        ("caf\u00e9", "cafe\u0301"),  # one letter, and a letter with an accent
        ("\uff21", "A"),  # full width
        ("'yes'", "yes"),
    ],
)
def test_one_class_in_two_spellings(a: str, b: str) -> None:
    assert spelling(a) == spelling(b)
    with pytest.raises(DataError, match=re.escape(f"got {a!r} to train on, and {b!r} to test on")):
        check([a, "other"] * 3, [b, "other"] * 3)
    (note,) = check([a, b, b, "other"])
    assert note.startswith("spelt alike, kept as classes apart: ")
    assert f"{a!r} (1)" in note
    assert f"{b!r} (2)" in note


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("<=50K", ">50K"),
        ("+", "-"),
        ("A+", "A-"),
        ("C", "C++"),
        ("1", "-1"),
        ("1.5", "15"),
        ("v1.5", "v15"),
        ("Rh-", "Rh+"),
        (".", ","),
        ("nan", "none"),
    ],
)
def test_two_classes_with_marks_in_their_names(a: str, b: str) -> None:
    assert spelling(a) != spelling(b)
    assert check([a, b] * 3, [a, b]) == []


def test_a_second_spelling_in_the_test_split_alone_is_refused() -> None:
    with pytest.raises(DataError, match="one spelling of a class"):
        check(["cat", "dog"] * 3, ["cat", "cat ", "dog"])


def test_a_class_of_one_split_only_is_said() -> None:
    names = ("ant", "bee", "cat")
    train, test = records(names, ["ant", "bee"]), records(names, ["ant", "cat"])
    assert check_splits(names, train, test) == [
        "no training record of cat: its test records fail",
        "no test record of bee: it is not measured",
    ]
    assert check_splits(names, train, train) == []
    assert check_splits(names, train.take(np.arange(0)), test) == []  # a server that only tests


def test_splits_with_no_class_in_common_are_refused() -> None:
    names = ("0", "1", "a", "b")
    with pytest.raises(DataError, match="got 0, 1 to train on, and a, b to test on"):
        check_splits(names, records(names, ["0", "1"]), records(names, ["a", "b"]))


def test_labels_far_apart_are_no_classes() -> None:
    names = [str(i) for i in range(10_000)]
    with pytest.raises(DataError, match=r"9,998 classes without a record, .* 0, 9999"):
        check_classes(names, records(names, ["0", "9999"] * 20), None)


def test_a_few_empty_classes_are_said() -> None:
    names = [str(i) for i in range(4)]
    assert check_classes(names, records(names, ["1", "3"] * 20), None) == [
        "classes without a record: 0, 2"
    ]


@pytest.mark.parametrize(
    "labels",
    [
        [f"{i * 0.37:.2f}" for i in range(60)] * 20,  # prices, however often each
        [str(1000 + 7 * i) for i in range(60)] * 2,  # amounts
        [str(-(i**2)) for i in range(40)],
    ],
)
def test_a_quantity_is_no_class(labels: list[str]) -> None:
    with pytest.raises(DataError, match=r"data: labels: expected classes; got .*: a quantity"):
        check(labels)


@pytest.mark.parametrize(
    "labels",
    [
        [str(i) for i in range(100)] * 2,  # classes by number
        [str(i) for i in range(1, 101)] * 2,
        [str(1000 + 7 * i) for i in range(60)] * 5,  # postcodes
        [f"{i / 2}" for i in range(11)] * 3,  # stars
        [f"p{i}" for i in range(100)] * 2,
    ],
)
def test_many_classes_are_not_a_quantity(labels: list[str]) -> None:
    assert check(labels) == []


def test_a_run_is_told_what_its_data_is_like(tmp_path: Path) -> None:
    x = np.zeros((8, 2), np.float32)
    y, y_test = np.array([0, 1, 2, 4] * 2), np.array([0, 1, 2, 2])
    np.savez(tmp_path / "data.npz", x=x, y=y, x_test=x[:4], y_test=y_test)
    dataset = load_dataset(DataConfig(name="npz", path=str(tmp_path / "data.npz")), seed=0)
    assert dataset.notes == ("no test record of 4: it is not measured",)


def test_accents_may_be_stored_in_two_ways(tmp_path: Path) -> None:
    apart = unicodedata.normalize("NFD", "ü")
    rows = [f"{i},{('ü', apart, 'x')[i % 3]}" for i in range(12)]
    (tmp_path / "a.csv").write_text("\n".join(["a,label", *rows]), encoding="utf-8")
    source = read_source(DataConfig(name="table", path=str(tmp_path / "a.csv")))
    assert set(source.classes) == {"x", "ü"}
    named = [source.classes[label] for label in source.train.labels]
    assert named == [("ü", "ü", "x")[i % 3] for i in range(12)]


@pytest.mark.parametrize(
    ("labels", "notes"),
    [
        (
            [*"01" * 60, "240"],
            ["class '240' has 1 record: a total at the end of the file?"],
        ),
        (["l", *"01" * 60], ["class 'l' has 1 record: a wrong label?"]),
        ([*"01" * 60, "2", "2"], []),
        ([*"01" * 10, "240"], []),  # so few records that a rare class is no surprise
    ],
)
def test_a_class_of_one_record_is_said_of_a_large_table(
    labels: list[str], notes: list[str]
) -> None:
    names = sorted({*labels})
    assert check_classes(names, records(names, labels), None, label="sick") == notes
    # of images one of a kind is no total
    assert check_classes(names, records(names, labels), None) == []


def test_one_record_to_train_on_and_one_to_test_on_are_two() -> None:
    labels = [*"01" * 60, "2"]
    names = sorted({*labels})
    split = records(names, labels)
    assert check_classes(names, split, split, label="sick") == []
