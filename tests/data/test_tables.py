"""Tables as people have them: what is read, what is drafted, what is refused; there and back."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fdd_flower.config import DataConfig
from fdd_flower.data import load_dataset, load_own
from fdd_flower.data.base import Dataset
from fdd_flower.data.schema_toml import schema_text
from fdd_flower.data.tables.cells import cells_of
from fdd_flower.data.tables.constants import with_constants
from fdd_flower.data.tables.decode import frame_of
from fdd_flower.data.tables.draft import draft_columns
from fdd_flower.data.tables.encode import features_of, table_inputs
from fdd_flower.data.tables.files import read_frame
from fdd_flower.data.tables.numbers import days, numbers
from fdd_flower.data.tables.sample import draft_schema
from fdd_flower.data.tables.words import allowed, held
from fdd_flower.errors import DataError
from fdd_flower.schema import Column, Schema, normalisation_of

PLAIN = "age,income,class\n63,1234.5,yes\n37,2.25,no\n"
FRAME = pd.DataFrame({"age": [63, 37], "income": [1234.5, 2.25], "class": ["yes", "no"]})
WAYS = {
    "commas": ("a.csv", PLAIN.encode()),
    "semicolons": ("a.csv", PLAIN.replace(",", ";").encode()),
    "tabs": ("a.tsv", PLAIN.replace(",", "\t").encode()),
    "bars": ("a.txt", PLAIN.replace(",", "|").encode()),
    "blanks": ("a.txt", PLAIN.replace(",", "  ").encode()),
    "decimal commas": ("a.csv", PLAIN.replace(",", ";").replace(".", ",").encode()),
    "German thousands": ("a.csv", b"age;income;class\n63;1.234,5;yes\n37;2,25;no\n"),
    "English thousands": ("a.csv", b'age,income,class\n63,"1,234.5",yes\n37,2.25,no\n'),
    "money": ("a.csv", b'age,income,class\n63,"$1,234.50",yes\n37,$2.25,no\n'),
    "gzip": ("a.csv.gz", gzip.compress(PLAIN.encode())),
    "UTF-16": ("a.csv", PLAIN.encode("utf-16")),
    "UTF-16 without a mark": ("a.csv", PLAIN.encode("utf-16-le")),
    "UTF-8 with a mark": ("a.csv", PLAIN.encode("utf-8-sig")),
    "Windows lines": ("a.csv", PLAIN.replace("\n", "\r\n").encode()),
    "comments": ("a.csv", b"# made in 2024, by hand\n#\n" + PLAIN.encode() + b"# end\n"),
    "a header in a comment": ("a.csv", b"# v1\n#" + PLAIN.encode()),
    "Excel's first line": ("a.csv", b"sep=;\n" + PLAIN.replace(",", ";").encode()),
    "blanks around": ("a.csv", b" age , income , class \n 63 , 1234.5 , yes \n37,2.25,no\n"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_table_is_read_however_it_is_written(way: str, tmp_path: Path) -> None:
    name, content = WAYS[way]
    (tmp_path / name).write_bytes(content)
    frame = read_frame(tmp_path / name, text="class")
    columns = draft_columns("a", frame.drop(columns="class"))
    assert [column.kind for column in columns] == ["integer", "number"]
    cells = cells_of("a", frame, columns)
    np.testing.assert_array_equal(cells, FRAME[["age", "income"]])
    assert frame["class"].tolist() == ["yes", "no"]


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".xlsx"])
def test_so_are_files_that_are_no_text(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".xlsx":
        FRAME.to_excel(path, index=False)
    else:
        getattr(FRAME, f"to_{suffix[1:]}")(path)
    frame = read_frame(path, text="class")
    np.testing.assert_array_equal(frame[["age", "income"]], FRAME[["age", "income"]])
    assert frame["class"].tolist() == ["yes", "no"]


def workbook(path: Path, **sheets: pd.DataFrame) -> Path:
    """Return the path of an Excel file with these sheets."""
    with pd.ExcelWriter(path) as writer:
        for name, frame in sheets.items():
            frame.to_excel(writer, sheet_name=name, index=False)
    return path


@pytest.mark.parametrize("other", [pd.DataFrame(), FRAME[:0], pd.DataFrame({"a": [None, None]})])
@pytest.mark.parametrize("first", [True, False])
def test_the_only_sheet_with_rows_is_read(other: pd.DataFrame, first: bool, tmp_path: Path) -> None:
    sheets = {"other": other, "data": FRAME} if first else {"data": FRAME, "other": other}
    frame = read_frame(workbook(tmp_path / "a.xlsx", **sheets), text="class")
    assert frame["class"].tolist() == ["yes", "no"]


@pytest.mark.parametrize("names", [["Read me", "Data"], ["2023", "2024", "2025"]])
def test_of_several_sheets_with_rows_none_is_read(names: list[str], tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", **dict.fromkeys(names, FRAME))
    listed = ", ".join(map(repr, names))
    with pytest.raises(DataError, match=f"one sheet with rows; got {len(names)}: {listed}"):
        read_frame(path)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8", "utf-16"])
def test_accents_survive(encoding: str, tmp_path: Path) -> None:
    text = "größe,ort\n1,Zürich\n2,Genève\n3,Málaga\n"
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    frame = read_frame(tmp_path / "a.csv")
    assert frame["ort"].tolist() == ["Zürich", "Genève", "Málaga"]
    assert "größe" in frame


@pytest.mark.parametrize(
    ("cells", "comma", "expected"),
    [
        (["1,234", "5,678,901"], False, [1234, 5678901]),
        (["1 234", "12\u202f345"], False, [1234, 12345]),
        (["1,5", "2"], True, [1.5, 2]),
        (["1.234", "5.678"], True, [1234, 5678]),
        (["0.5", "1.234"], True, [0.5, 1.234]),
        (["12 %", "7%"], False, [12, 7]),
        (["€ 3", "4 €"], False, [3, 4]),
        (["1", None], False, [1, np.nan]),
        (["1", "one"], False, None),
        (["1-2", "3-4"], False, None),
    ],
)
def test_numbers_are_what_people_mean(cells: list, comma: bool, expected: list | None) -> None:
    found = numbers(pd.Series(cells, dtype=object), comma=comma)
    if expected is None:
        assert found is None
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "written",
    ["1970-01-11", "1970-01-11T00:00:00Z", "11.01.1970", "11-Jan-1970", "1970/01/11", "01/11/1970"],
)
def test_dates_are_days(written: str) -> None:
    beside = {"01/11/1970": "01/31/1970"}.get(written, written)
    found = days("a", pd.Series([written, beside], dtype=object))
    assert found is not None
    assert found[0] == 10


def test_an_open_end_is_a_date_far_away(tmp_path: Path) -> None:
    ends = pd.Series(["2020-01-02", "9999-12-31", "0001-01-01", None, "2020-01-02T12:00+00:00"])
    assert days("it", ends) == pytest.approx(
        [18263, 2932896, -719162, np.nan, 18263.5], nan_ok=True
    )
    rows = [f"20{year}-01-02,{label}" for year in range(10, 40) for label in ("a", "b")]
    file = tmp_path / "until.csv"
    file.write_text("\n".join(["until,label", *rows, "9999-12-31,a"]))
    its = load_dataset(DataConfig(name="table", path=str(file)), seed=0)
    (until,) = its.columns
    assert until.high is not None
    assert until.high < 40_000  # it does not stretch the range
    assert float(its.split(its.train).inputs[:, 0].abs().max()) < 5
    open_ended = Column(name="until", kind="date", low=0, high=2_932_896, centre=1.5e6, scale=1e6)
    assert allowed(open_ended) == "1970-01-01 to 9999-12-31"
    schema = Schema.of_table([open_ended], classes=("a", "b"), label="label")
    back = frame_of(torch.full((1, 5), 1.5), schema)
    assert back["until"].tolist() == ["9999-12-31"]


def test_a_cell_that_is_far_too_long_is_refused(tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_text("a,label\n" + "x" * 140_000 + ",0\n")
    with pytest.raises(DataError, match="a table that pandas can read"):
        read_frame(tmp_path / "long.csv")


def test_a_date_that_can_be_read_two_ways_is_refused() -> None:
    with pytest.raises(DataError, match=r"which is the day.*'03/04/2020'.*2024-12-31"):
        days("a", pd.Series(["03/04/2020", "05/06/2020"], dtype=object))


def mixed(n: int = 400) -> Any:
    """Return a table of every kind, with gaps."""
    rng = np.random.default_rng(0)
    score = rng.normal(120, 15, n)
    return pd.DataFrame(
        {
            "pressure": np.where(rng.random(n) < 0.1, np.nan, score.round(1)),
            "visits": rng.poisson(3, n),
            "pain": rng.choice(["none", "typical", "?"], n, p=[0.5, 0.4, 0.1]),
            "smoker": rng.choice(["Yes", "No"], n),
            "seen": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
            "class": np.where(score + rng.normal(0, 5, n) > 125, "ill", "well"),
        }
    )


def dataset(frame: pd.DataFrame, tmp_path: Path, schema: str = "") -> Dataset:
    frame.to_csv(tmp_path / "mixed.csv", index=False)
    cfg = DataConfig(name="table", path=str(tmp_path / "mixed.csv"), label="class", schema=schema)
    return load_dataset(cfg, seed=0)


def test_kinds_are_drafted_from_the_rows(tmp_path: Path) -> None:
    found = {column.name: column for column in dataset(mixed(), tmp_path).columns}
    assert {name: column.kind for name, column in found.items()} == {
        "pain": "category",
        "pressure": "number",
        "seen": "date",
        "smoker": "yes/no",
        "visits": "integer",
    }
    assert found["smoker"].levels == ("No", "Yes")
    assert (found["pain"].levels, found["pain"].missing) == (("none", "typical"), ("?",))
    assert [name for name, column in found.items() if column.gaps] == ["pain", "pressure"]


def test_the_encoding_is_that_of_scikit_learn(tmp_path: Path) -> None:
    frame = mixed()
    found = dataset(frame, tmp_path)
    inputs = torch.cat([found.split(found.train).inputs, found.split(found.test).inputs]).numpy()
    at = {name: i for i, name in enumerate(found.schema.features)}
    train = found.train.inputs
    pressure = train[train[:, at["pressure=(missing)"]] == 0, at["pressure"]]
    oracle: Any = StandardScaler().fit(pressure[:, None])
    np.testing.assert_allclose(
        [found.normalisation.mean[at["pressure"]], found.normalisation.std[at["pressure"]]],
        [oracle.mean_[0], oracle.scale_[0]],
        rtol=1e-6,
    )
    pain = frame["pain"].where(frame["pain"] != "?")
    levels: Any = [["none", "typical"]]
    onehot: Any = OneHotEncoder(categories=levels, handle_unknown="ignore")
    counts = np.asarray(onehot.fit_transform(pain.to_frame()).todense()).sum(axis=0)
    columns = [at["pain=none"], at["pain=typical"]]
    np.testing.assert_array_equal(inputs[:, columns].sum(axis=0), counts)
    assert inputs[:, at["pain=(missing)"]].sum() == pain.isna().sum()
    assert inputs[:, at["pain=(other)"]].sum() == 0


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    frame = mixed().drop(columns="class")
    columns = draft_columns("a", frame)
    columns = with_constants(columns, cells_of("a", frame, columns))
    schema = Schema.of_table(columns, classes=("ill", "well"), label="class")
    back: Any = frame_of(table_inputs("a", frame, schema), schema)
    held = frame["pressure"].notna()
    np.testing.assert_allclose(back["pressure"][held], frame["pressure"][held], rtol=1e-6)
    assert back["pressure"][~held].isna().all()
    assert back["visits"].tolist() == frame["visits"].tolist()
    assert back["smoker"].tolist() == frame["smoker"].tolist()
    assert back["pain"].fillna("?").tolist() == frame["pain"].tolist()
    assert back["seen"].tolist() == frame["seen"].dt.strftime("%Y-%m-%d").tolist()


def test_a_column_in_words() -> None:
    pain = Column(name="pain", kind="category", levels=("a", "b"), gaps=True)
    found = held(pain, pd.Series(["b", "a", None, "b"]), np.array([1.0, 1, 2, 4]))
    assert found == "b 83%, a 17%; 25% missing"
    values, weights = np.array([1.0, 2, 4]), np.array([1.0, 2, 1])
    mean = np.average(values, weights=weights)
    spread = np.sqrt(np.cov(values, aweights=weights, ddof=0))
    assert held(Column(name="x"), pd.Series(values), weights) == f"{mean:.4g} ± {spread:.3g}"


@pytest.mark.parametrize(
    ("cells", "decimals"),
    [
        ([13.1, 9.75, -2], 2),
        ([0.1 + 0.2, 0.3], 1),
        ([1e9 + 0.5, 0], 1),
        ([1 / 3, 1], None),
        (np.array([0.1, 0.2], dtype=np.float32), None),
    ],
)
def test_numbers_have_the_decimals_they_are_written_with(cells: Any, decimals: int | None) -> None:
    held = np.asarray(cells, dtype=np.float64)[:, None]
    (column,) = with_constants((Column(name="hb"),), held)
    assert column.decimals == decimals
    (kept,) = with_constants((Column(name="hb", decimals=4),), held)
    assert kept.decimals == 4


def test_synthetic_numbers_are_written_as_the_others() -> None:
    columns = (Column(name="hb", decimals=1, low=0, high=19.96, centre=13, scale=2),)
    schema = Schema.of_table(columns, classes=("0", "1"), label="y")
    inputs = torch.tensor([[0.031], [-9.0], [9.0], [-6.51]])
    frame: Any = frame_of(inputs, schema)
    assert frame["hb"].tolist() == [13.1, 0, 19.96, 0]
    assert "-0.0" not in frame.to_csv()


def test_noise_decodes_to_records_of_the_schema() -> None:
    columns = (
        Column(name="age", kind="integer", low=18.5, high=90, centre=54, scale=9, gaps=True),
        Column(name="pain", kind="category", levels=("a", "b"), gaps=True),
        Column(name="stage", kind="ordinal", levels=("I", "II", "III"), centre=1),
        Column(name="seen", kind="date", low=0, high=10_000, centre=5000, scale=4000),
    )
    schema = Schema.of_table(columns, classes=("0", "1"), label="y")
    noise = 3 * torch.randn(500, *schema.feature_shape, generator=torch.Generator().manual_seed(0))
    frame: Any = frame_of(noise, schema)
    ages = frame["age"].dropna()
    assert ages.between(19, 90).all()
    assert len(ages) < 500
    assert {*frame["pain"].dropna()} == {"a", "b", "(other)"}
    assert {*frame["stage"]} == {"I", "II", "III"}
    assert frame["seen"].between("1970-01-01", "1997-05-19").all()


def test_one_huge_value_ruins_nothing() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(5, 2, (300, 1))
    plain = with_constants((Column(name="a"),), values)[0]
    values[7] = 1e9
    (column,) = with_constants((Column(name="a"),), values)
    assert column.high is not None
    assert column.high < 20
    assert abs(column.centre - plain.centre) < 0.1
    assert abs(column.scale - plain.scale) < 0.2
    assert normalisation_of((column,)).apply(features_of(values, (column,))).abs().max() < 8


def test_without_outliers_the_constants_are_mean_and_deviation() -> None:
    values = np.random.default_rng(2).lognormal(size=(1000, 1)).clip(max=8)
    (column,) = with_constants((Column(name="a"),), values)
    assert column.centre == pytest.approx(values.mean(), rel=1e-12)
    assert column.scale == pytest.approx(values.std(), rel=1e-12)


def test_a_sentinel_is_a_gap() -> None:
    frame = pd.DataFrame({"a": [*range(100), 9999, 9999, -999, -999], "b": [*range(104)]})
    a, b = draft_columns("x", frame)
    assert (a.missing, a.gaps) == (("-999", "9999"), True)
    assert (b.missing, b.gaps) == ((), False)
    assert np.isnan(cells_of("x", frame, (a,))).sum() == 4


def test_epoch_seconds_keep_their_signal(tmp_path: Path) -> None:
    n = 200
    frame = pd.DataFrame({"seen": 1_700_000_000 + np.arange(n), "class": ["a", "b"] * (n // 2)})
    found = dataset(frame, tmp_path)
    inputs = found.split(found.train).inputs
    assert len(inputs.unique()) == len(inputs)
    back = frame_of(inputs, found.schema)["seen"]
    assert {*back} < {*frame["seen"]}


@pytest.mark.parametrize("words", [("None", "some"), ("NA", "EU"), ("nan", "inf")])
def test_a_class_may_be_called_like_nothing(words: tuple[str, str], tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": range(20), "class": [*words] * 10})
    assert dataset(frame, tmp_path).classes == tuple(sorted(words))


@pytest.mark.parametrize(
    "values", [[f"patient {i} was seen" for i in range(60)], [f"{i:x}zz" for i in range(60)]]
)
def test_free_text_and_ids_are_refused_by_name(values: list[str], tmp_path: Path) -> None:
    frame = pd.DataFrame({"note": values, "a": range(60), "class": ["a", "b"] * 30})
    with pytest.raises(DataError, match=r"column 'note'.*60 different ones.*--drop \"note\""):
        dataset(frame, tmp_path)


SCHEMA = Schema.of_table(
    (
        Column(name="age", kind="integer", low=0, high=100, centre=50, scale=10),
        Column(name="pain", kind="category", levels=("none", "typical"), gaps=True),
        Column(name="smoker", kind="yes/no", levels=("no", "yes")),
    ),
    classes=("ill", "well"),
    label="class",
)


def own(frame: pd.DataFrame, tmp_path: Path):
    frame.to_csv(tmp_path / "own.csv", index=False)
    return load_own(
        DataConfig(name="table", label="class"),
        path=str(tmp_path / "own.csv"),
        classes=SCHEMA.classes,
        feature_shape=SCHEMA.feature_shape,
        normalisation=SCHEMA.normalisation,
        columns=SCHEMA.columns,
        label=SCHEMA.label,
    )


def test_a_node_encodes_by_the_federations_schema_alone(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "more": [1, 2, 3],
            "smoker": ["TRUE", "no", "Yes"],
            "age": [60, 40, 1000],
            "pain": ["strong", None, "None"],
            "class": ["well", "well", "ill"],
        }
    )
    split = own(frame, tmp_path)
    np.testing.assert_array_equal(
        split.inputs,
        # age, pain: none, typical, other, missing, smoker
        [[1, 0, 0, 1, 0, 1], [-1, 0, 0, 0, 1, 0], [5, 0, 0, 0, 1, 1]],
    )
    assert split.labels.tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("age", "sixty", r"column 'age': expected numbers; got 'sixty' in row 2, counted.*missing"),
        ("age", "inf", "column 'age': expected finite numbers.*inf in row 2"),
        ("age", None, "column 'age': expected a value in every row.*nan in row 2.*gaps = true"),
        ("smoker", "often", "column 'smoker': expected one of 'no', 'yes'; got 'often' in row 2"),
        (
            "class",
            "dead",
            "column 'class': expected one of the schema's classes, ill, well.*'dead'",
        ),
    ],
)
def test_a_node_whose_records_break_it_is_refused(
    column: str, value: str | None, words: str, tmp_path: Path
) -> None:
    frame = pd.DataFrame(
        {"age": ["1", "2"], "pain": "none", "smoker": ["yes", "no"], "class": ["ill", "well"]}
    )
    frame.loc[1, column] = value
    with pytest.raises(DataError, match=words) as caught:
        own(frame, tmp_path)
    assert "own.csv" in str(caught.value)


def test_a_gap_in_a_category_is_a_level_that_it_does_not_know() -> None:
    column = Column(name="a", kind="category", levels=("x", "y"))
    cells = cells_of("t", pd.DataFrame({"a": ["y", None, "z"]}), (column,))
    np.testing.assert_array_equal(features_of(cells, (column,)), [[0, 1, 0], [0, 0, 1], [0, 0, 1]])


def test_a_node_without_a_column_is_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"age": [1], "pain": ["none"], "class": ["ill"]})
    with pytest.raises(DataError, match="a table without smoker, of age, pain, class"):
        own(frame, tmp_path)


def test_a_named_schema_is_what_a_run_encodes_by(tmp_path: Path) -> None:
    (tmp_path / "schema.toml").write_text(schema_text(SCHEMA), encoding="utf-8")
    frame = pd.DataFrame(
        {"pain": ["none"] * 20, "age": 40, "smoker": "no", "class": ["ill", "well"] * 10}
    )
    found = dataset(frame, tmp_path, schema=str(tmp_path / "schema.toml"))
    assert found.schema == SCHEMA
    assert found.split(found.test).inputs[0].tolist() == [-1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize(("here", "there"), [("0", "0.0"), ("cat", "cat "), ("1e3", "1000")])
def test_numbers_and_blanks_are_matched(here: str, there: str, tmp_path: Path) -> None:
    for name, word in (("train", here), ("test", there)):
        (tmp_path / f"{name}.csv").write_text(f"a,class\n1,{word}\n2,other\n")
    cfg = DataConfig(name="table", path=str(tmp_path), label="class")
    found = load_dataset(cfg, seed=0)
    assert len(found.classes) == 2
    assert found.train.labels.tolist() == found.test.labels.tolist()


def test_a_test_file_without_labels_says_so(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("a,class\n1,x\n2,y\n")
    (tmp_path / "test.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match=r"test\.csv: expected the column 'class'.*fdd predict"):
        load_dataset(DataConfig(name="table", path=str(tmp_path), label="class"), seed=0)


def test_a_quantity_is_no_class(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": range(40), "class": np.linspace(1, 9, 40)})
    with pytest.raises(DataError, match=r"data\.label 'class': expected classes; got 40 different"):
        dataset(frame, tmp_path)


def test_a_table_without_a_header_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("5.1,3.5,setosa\n4.9,3.0,setosa\n")
    with pytest.raises(DataError, match="first line looks like a record"):
        load_dataset(DataConfig(name="table", path=str(tmp_path / "a.csv"), label="class"), seed=0)


def test_a_draft_says_which_rows_a_run_would_refuse(tmp_path: Path) -> None:
    rows = "".join(
        f"{age},{word}\n" for age, word in zip(range(20), ["yes", "no", "", "no"] * 5, strict=False)
    )
    (tmp_path / "t.csv").write_text("age,class\n" + rows)
    draft = draft_schema(tmp_path / "t.csv", "class")
    assert draft.rows == 15
    assert "5 rows without a class" in draft.notes["class"]
