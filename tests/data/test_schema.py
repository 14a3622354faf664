"""What a schema allows, and its way through TOML."""

import tomllib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fdd_flower.data.schema_toml import read_schema, read_schema_text, schema_text
from fdd_flower.errors import DataError
from fdd_flower.schema import Column, Normalisation, Schema

COLUMNS = (
    Column(name="age", kind="integer", low=0, high=120, centre=54.5, scale=9.25, unit="years"),
    Column(name="chest pain", kind="category", levels=("none", "typical = yes", "ü"), gaps=True),
    Column(name="sex", kind="yes/no", levels=("f", "m"), missing=("?", "-9"), gaps=True),
    Column(name="stage", kind="ordinal", levels=("I", "II", "III"), centre=1, scale=0.8),
    Column(name="seen", kind="date", low=0, high=20_000, fill=7305, centre=10_957, scale=365.25),
    Column(name="note", kind="ignore"),
)
SCHEMA = Schema.of_table(COLUMNS, classes=("0", "1"), label="num", prior=(0.75, 0.25))


def test_features_have_a_name_for_all_that_a_model_sees() -> None:
    assert SCHEMA.features == (
        *("age", "chest pain=none", "chest pain=typical = yes", "chest pain=ü"),
        *("chest pain=(other)", "chest pain=(missing)", "sex", "sex=(missing)", "stage"),
        *("seen=day", "seen=season-sin", "seen=season-cos", "seen=weekday-sin", "seen=weekday-cos"),
    )
    assert SCHEMA.feature_shape == (14,)
    assert SCHEMA.normalisation == Normalisation(
        mean=(54.5, *[0] * 7, 1, 10_957, *[0] * 4), std=(9.25, *[1] * 7, 0.8, 365.25, *[1] * 4)
    )


def test_toml_and_back_is_the_same_schema(tmp_path) -> None:
    path = tmp_path / "schema.toml"
    path.write_text(schema_text(SCHEMA), encoding="utf-8")
    assert read_schema(str(path)) == SCHEMA
    assert str(tomllib.loads(schema_text(SCHEMA))["columns"]["seen"]["fill"]) == "1990-01-01"


def test_a_column_comes_back_from_what_json_keeps_of_it() -> None:
    assert tuple(Column.from_dict(column.to_dict()) for column in COLUMNS) == COLUMNS
    assert Column.from_dict("age") == Column(name="age")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "name"),
        ({"kind": "text"}, "kind: expected one of number, integer,.*got 'text'"),
        ({"levels": ("a",)}, "levels: expected none, for kind 'number'"),
        ({"kind": "category"}, "levels: expected 1 or more.*got none"),
        ({"kind": "yes/no", "levels": ("a", "b", "c")}, "levels: expected exactly 2"),
        ({"kind": "ordinal", "levels": ("a", "a")}, "levels: expected 2 or more"),
        ({"scale": 0.0}, "scale above 0"),
        ({"centre": float("nan")}, "finite"),
        ({"low": 2.0, "high": 1.0}, "low below high"),
    ],
)
def test_a_column_that_contradicts_itself_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        replace(Column(name="a"), **changes)


GOOD = 'label = "y"\nclasses = ["0", "1"]\n[columns.a]\nkind = "number"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("label = ", "a schema in TOML"),
        (GOOD.replace('label = "y"', ""), "no label"),
        (GOOD.replace("label", "lable"), "no label"),
        (GOOD + "[other]\nx = 1\n", "an unknown 'other'"),
        (GOOD.replace('["0", "1"]', "[0, 1]"), "classes.*in quotes"),
        (GOOD.replace('["0", "1"]', '["0"]'), "classes: expected at least 2"),
        (GOOD.replace("[columns.a]", "prior = [0.5]\n[columns.a]"), "2 shares"),
        (GOOD.replace("[columns.a]", "[columns.y]"), "the label not among them"),
        (GOOD.replace('"number"', '"ignore"'), "at least one to learn from"),
        (GOOD + "scale = 'wide'\n", "column 'a': scale: expected a number; got 'wide'"),
        (GOOD + "size = 1\n", "column 'a': expected only name.*got 'size'"),
        (GOOD + "missing = [-9]\n", "missing: expected a list of texts"),
        (GOOD + "gaps = true\n[columns.'a=(missing)']\n", r"'a=\(missing\)' twice"),
        ("columns = 3\n" + GOOD.split("[")[0] + '["0"]', "f.toml"),
    ],
)
def test_a_bad_file_says_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read_schema_text(text, where="f.toml")
    assert str(caught.value).startswith("f.toml")


def test_large_numbers_are_centred_before_they_are_rounded() -> None:
    seconds = np.array([[1.7e9], [1.7e9 + 1], [1.7e9 + 2]])
    scale = Normalisation(mean=(1.7e9,), std=(1.0,))
    assert scale.apply(seconds).ravel().tolist() == [0, 1, 2]
