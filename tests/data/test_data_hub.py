"""`data.name=hub`: what `datasets` reads, from local sets made here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pytest
from datasets import Array2D, ClassLabel, Dataset, DatasetDict, Features, Image, List, Value
from PIL import Image as Pictures

from fdd_flower.config import DataConfig
from fdd_flower.data import load_dataset, load_own
from fdd_flower.data.base import SOURCES, Source
from fdd_flower.errors import DataError
from fdd_flower.launch.settings import given

N = 12
NAMES = ["cat", "dog"]


@pytest.fixture(autouse=True)
def quiet() -> None:
    datasets.disable_progress_bars()


def read(path: Path | str, **settings: Any) -> Source:
    return SOURCES.get("hub")(DataConfig(name="hub", path=str(path), **settings))


def pictures(grey: bool = False) -> Dataset:
    """Return N pictures of 8x8 of one colour each, i * 20, of class i mod 2."""
    mode, colours = ("L", [i * 20 for i in range(N)]) if grey else (
        "RGB", [(i * 20, 0, 255) for i in range(N)]
    )  # fmt: skip
    return Dataset.from_dict(
        {
            "image": [Pictures.new(mode, (8, 8), colour) for colour in colours],
            "label": [i % 2 for i in range(N)],
            "site": [f"s{i % 3}" for i in range(N)],
            "caption": ["x"] * N,
        },
        features=Features(
            image=Image(), label=ClassLabel(names=NAMES), site=Value("string"),
            caption=Value("string"),
        ),
    )  # fmt: skip


def test_pictures_are_those_of_the_set(tmp_path: Path) -> None:
    pictures().save_to_disk(tmp_path / "set")
    source = read(tmp_path / "set", image_size=8, column="site", subject="site")
    train = source.train
    assert train.inputs.dtype == np.uint8
    assert train.inputs.shape == (N, 3, 8, 8)
    assert train.inputs[:, 0, 3, 4].tolist() == [i * 20 for i in range(N)]
    assert train.inputs[:, 2].min() == 255
    assert source.classes == ("cat", "dog")
    assert train.labels.tolist() == [i % 2 for i in range(N)]
    assert source.group_names == ("s0", "s1", "s2")
    assert train.groups is not None
    assert train.groups.tolist() == [i % 3 for i in range(N)]
    assert train.subjects is not None
    assert source.notes == ("image records; columns left out: caption",)


def test_grey_pictures_have_one_channel_and_may_lie_in_a_folder(tmp_path: Path) -> None:
    for i in range(N):
        folder = tmp_path / "train" / NAMES[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Pictures.new("L", (8, 8), i * 20).save(folder / f"{i:02}.png")
    source = read(tmp_path, image_size=4)
    assert source.train.inputs.shape == (N, 1, 4, 4)
    values = source.train.inputs[:, 0, 0, 0].astype(int) // 20
    assert [source.classes[k] for k in source.train.labels] == [NAMES[i % 2] for i in values]
    assert sorted(values) == list(range(N))


def spoilt(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


@pytest.mark.parametrize("bad", [("cat/00.png",), ("cat/00.png", "dog/03.png")])
@pytest.mark.parametrize("packed", [False, True])
def test_pictures_that_cannot_be_read_are_named(
    bad: tuple[str, ...], packed: bool, tmp_path: Path
) -> None:
    for i in range(N):
        folder = tmp_path / "set" / NAMES[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Pictures.new("L", (8, 8), i * 20).save(folder / f"{i:02}.png")
    for name in bad:
        spoilt(tmp_path / "set" / name)
    path = tmp_path / "set"
    if packed:
        bad = tuple(f"record-{int(name[4:6])}.png" for name in bad)
        cells = [
            {"bytes": (path / NAMES[i % 2] / f"{i:02}.png").read_bytes(), "path": "x.png"}
            for i in range(N)
        ]
        columns: Any = {"image": cells, "label": [i % 2 for i in range(N)]}
        path = tmp_path / "set.parquet"
        Dataset.from_dict(columns, Features(image=Image(decode=False), label=Value("int64"))).cast(
            Features(image=Image(), label=Value("int64"))
        ).to_parquet(path)
    with pytest.raises(DataError, match=r"to (its|their) end") as caught:
        read(path, image_size=4)
    assert all(name in str(caught.value) for name in (str(path), *bad))


def test_depths_that_are_mixed_are_said_as_of_a_folder(tmp_path: Path) -> None:
    for i in range(N):
        folder = tmp_path / NAMES[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        depth = np.uint16 if i == 3 else np.uint8
        Pictures.fromarray(np.full((4, 4), 200, depth)).save(folder / f"{i:02}.png")
    (note,) = read(tmp_path, image_size=4).notes
    assert note.startswith("1 image of more than 8 bits, such as dog/03.png, beside 11 of 8 bits")


def table(tmp_path: Path, kind: str) -> Path:
    frame = pd.DataFrame(
        {
            "age": [20 + i for i in range(N)],
            "smoker": [("yes", "no", None)[i % 3] for i in range(N)],
            "label": [("ill", "well")[i % 2] for i in range(N)],
        }
    )
    path = tmp_path / f"data.{kind}"
    if kind == "csv":
        frame.to_csv(path, index=False)
    elif kind == "parquet":
        frame.to_parquet(path)
    elif kind == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        path = tmp_path / "saved"
        DatasetDict({"train": Dataset.from_pandas(frame)}).save_to_disk(path)
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl", "arrow"])
def test_a_table_is_that_of_the_same_rows_in_a_file(kind: str, tmp_path: Path) -> None:
    found = read(table(tmp_path, kind))
    plain = SOURCES.get("table")(DataConfig(name="table", path=str(table(tmp_path, "csv"))))
    assert found.columns == plain.columns
    assert found.classes == plain.classes == ("ill", "well")
    np.testing.assert_array_equal(found.train.inputs, plain.train.inputs)
    np.testing.assert_array_equal(found.train.labels, plain.train.labels)


def test_a_node_encodes_its_own_rows_as_the_server_does(tmp_path: Path) -> None:
    path = table(tmp_path, "parquet")
    dataset = load_dataset(DataConfig(name="hub", path=str(path), test_fraction=0.5), seed=0)
    own = load_own(
        DataConfig(name="hub"),
        path=str(path),
        classes=dataset.classes,
        feature_shape=dataset.feature_shape,
        normalisation=dataset.normalisation,
        columns=dataset.columns,
        label=dataset.label,
    )
    assert len(own) == N
    row = dataset.split(dataset.train).inputs[0]
    assert any(row.equal(other) for other in own.inputs)


def test_columns_may_be_chosen(tmp_path: Path) -> None:
    found = read(table(tmp_path, "parquet"), columns="age")
    assert [column.name for column in found.columns] == ["age"]
    with pytest.raises(DataError, match=r"data\.columns: expected columns among age, .*agee"):
        read(table(tmp_path, "parquet"), columns="agee")


@pytest.mark.parametrize("kind", ["lists", "array"])
def test_sequences_of_numbers_are_series(kind: str, tmp_path: Path) -> None:
    x = np.arange(N * 2 * 5, dtype=np.float32).reshape(N, 2, 5)
    labels = [i % 2 for i in range(N)]
    if kind == "lists":
        made = Dataset.from_dict(
            {"a": x[:, 0].tolist(), "b": x[:, 1].tolist(), "label": labels},
            features=Features(
                a=List(Value("float32")), b=List(Value("float32")), label=Value("int64")
            ),
        )
    else:
        made = Dataset.from_dict(
            {"x": x.tolist(), "label": labels},
            features=Features(x=Array2D((2, 5), "float32"), label=Value("int64")),
        )
    made.save_to_disk(tmp_path / "set")
    source = read(tmp_path / "set")
    np.testing.assert_array_equal(source.train.inputs, x)
    assert source.train.inputs.dtype == np.float32
    assert source.classes == ("0", "1")
    assert source.channels == (("a", "b") if kind == "lists" else ())
    with pytest.raises(DataError, match=r"data\.window: expected 0"):
        read(tmp_path / "set", window=3)


def test_series_of_uneven_length_are_refused(tmp_path: Path) -> None:
    Dataset.from_dict({"a": [[1.0], [1.0, 2.0]], "label": [0, 1]}).save_to_disk(tmp_path / "set")
    with pytest.raises(DataError, match=r"column 'a': expected as many numbers in each record"):
        read(tmp_path / "set")


def split(labels: list[int]) -> Dataset:
    return Dataset.from_dict({"x": [float(i) for i in range(len(labels))], "label": labels})


@pytest.mark.parametrize(
    ("sizes", "train", "test", "note"),
    [
        ({"train": 6, "validation": 4}, 6, 4, "split validation is the test split"),
        ({"train": 6, "val": 4, "test": 2}, 10, 2, "split val is trained on"),
        ({"train": 6, "test": 2, "extra": 4}, 6, 2, "splits left out: extra"),
        ({"train": 6}, 6, None, ""),
        ({"all": 6}, 6, None, ""),
    ],
)
def test_splits(
    sizes: dict[str, int], train: int, test: int | None, note: str, tmp_path: Path
) -> None:
    parts: Any = {name: split([0, 1] * (size // 2)) for name, size in sizes.items()}
    DatasetDict(parts).save_to_disk(tmp_path / "set")
    source = read(tmp_path / "set")
    assert len(source.train) == train
    assert (None if source.test is None else len(source.test)) == test
    assert any(line.startswith(note) for line in source.notes) == bool(note)


def test_a_test_split_without_labels_is_left_out(tmp_path: Path) -> None:
    parts: Any = {"train": split([0, 1] * 3), "validation": split([0, 1]), "test": split([-1, -1])}
    DatasetDict(parts).save_to_disk(tmp_path / "set")
    source = read(tmp_path / "set")
    assert source.test is not None
    assert len(source.test) == 2
    assert "split test has no labels: left out" in source.notes


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"label": "class"}, r"data\.label: expected one of the columns image, label"),
        ({"image": "caption"}, r"data\.image: expected a column of images"),
        ({"columns": "image,caption"}, r"data\.columns: expected columns of one kind"),
    ],
)
def test_columns_that_do_not_fit_are_refused(
    settings: dict[str, str], told: str, tmp_path: Path
) -> None:
    pictures().save_to_disk(tmp_path / "set")
    with pytest.raises(DataError, match=told):
        read(tmp_path / "set", **settings)


def test_what_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def offline(*_: object, **__: object) -> None:
        raise ConnectionError("Couldn't reach 'ann/scans' on the Hub")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    with pytest.raises(DataError, match=r"data\.path ann/scans: .*Couldn't reach.*save_to_disk"):
        read("ann/scans")
    (tmp_path / "notes.doc").write_text("no data")
    with pytest.raises(DataError, match=r"a file that ends in \.doc"):
        read(tmp_path / "notes.doc")


def test_without_the_package_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match="pip install datasets"):
        read(tmp_path)


def test_a_name_and_its_configuration_go_to_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def load(*words: object, **_: object) -> Dataset:
        asked.extend(words)
        return split([0, 1] * 4)

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert len(read("ann/scans:small").train) == 8
    assert asked == ["ann/scans", "small"]


def test_a_name_on_the_hub_is_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    words = ["data.name=hub", "data.path=ann/scans"]
    assert given(assignments=words)["data.path"] == "ann/scans"
    assert given(assignments=["data.name=hub", "data.path=here"])["data.path"] == str(
        tmp_path / "here"
    )


def test_sequences_beside_single_values_must_be_chosen(tmp_path: Path) -> None:
    made = {"a": [[1.0, 2.0]] * 4, "age": [1, 2, 3, 4], "label": [0, 1, 0, 1]}
    Dataset.from_dict(made).save_to_disk(tmp_path / "set")
    with pytest.raises(DataError, match=r"columns: expected columns of one kind, as a is; got"):
        read(tmp_path / "set")
    assert read(tmp_path / "set", columns="-age").train.inputs.shape == (4, 1, 2)
    assert [column.name for column in read(tmp_path / "set", columns="age").columns] == ["age"]


def test_a_csv_is_read_as_carefully_as_a_table(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,label,label\n" + "1,x,x\n2,y,y\n" * 3)
    with pytest.raises(DataError, match="two columns called 'label'"):
        read(path)
    path.write_text("a;b;label\n" + "1,5;2;x\n2,5;3;y\n" * 3)
    with pytest.raises(DataError, match=r"decimal comma: data\.name=table reads them"):
        read(path)
