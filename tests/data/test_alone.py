"""Under a private mode no record changes what another one is read as: D, and D with one more."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from fdd_flower.config import from_run_config
from fdd_flower.data import SOURCES, load_own
from fdd_flower.data.base import Source, Split
from fdd_flower.data.subjects import FIXED
from fdd_flower.distillers.base import Plan
from fdd_flower.errors import DataError
from fdd_flower.releases.base import RELEASES
from fdd_flower.schema import Column, Normalisation, normalisation_of

Write = Callable[[Path, Sequence[Any]], Path]  # of records, where they lie
RNG = np.random.default_rng(0)


@dataclass(frozen=True, kw_only=True)
class Case:
    """How records of a source are written, some that are usual, and some that are not.

    `read`, `left_out` and `refused` are records one of which is added: those that are read, those
    that do not fit and are left out, and those that change the form of the folder.
    """

    source: str
    write: Write
    usual: Sequence[Any]
    read: Sequence[Any]
    left_out: Sequence[Any]
    shape: tuple[int, ...]
    columns: tuple[Column, ...] = ()
    scale: tuple[float, float] = (0.5, 0.25)
    settings: tuple[tuple[str, Any], ...] = ()
    refused: Sequence[Any] = ()
    rate: float = 0.0

    @property
    def normalisation(self) -> Normalisation:
        if self.columns:
            return normalisation_of(self.columns)
        mean, std = self.scale
        return Normalisation(mean=(mean,) * self.shape[0], std=(std,) * self.shape[0])

    def load(self, path: Path, *, alone: bool = True) -> Split:
        settings = {"data.name": self.source, "data.image-size": 8, **dict(self.settings)}
        settings |= {"privacy.mode": "dp-moments"} if alone else {}
        return load_own(
            from_run_config(settings).data,
            path=str(path),
            classes=("0", "1"),
            feature_shape=self.shape,
            normalisation=self.normalisation,
            columns=self.columns,
            label="label" if self.columns else "",
            rate=self.rate,
        )

    def moved(self, one: Split, other: Split) -> float:
        """Return by how much the sum before noise differs, over what a record may move it by."""
        plan = Plan(
            round=1,
            seed=7,
            nonce="0123456789abcdef",
            classes=("0", "1"),
            feature_shape=self.shape,
            normalisation=self.normalisation,
        )
        release = RELEASES.get("dp-moments")(from_run_config({"privacy.mode": "dp-moments"}), plan)
        change = (release.sum(other) - release.sum(one)).double()
        return float((change / release.unit / release.spread.expand(release.size)).norm())


COLUMNS = (
    Column(name="age", kind="number", centre=1.5, scale=0.3, gaps=True, missing=("-9",)),
    Column(name="until", kind="date", centre=18_000.0, scale=1e3),
    Column(name="code", kind="category", levels=("01", "1", "2.50")),
    Column(name="town", kind="category", levels=("Köln", "Zürich")),
)
FEATURES = len(normalisation_of(COLUMNS).mean)
ROWS = [
    f"1.{500 + i},20{10 + i}-01-02,{('01', '1', '2.50', '2.5')[i % 4]},"
    f"{('Köln', 'Zürich')[i % 2]},{i % 2}"
    for i in range(20)
]
READ = [
    "1.5,9999-12-31,1,Köln,0",
    "-9.0,0001-01-01,001,Zürich,1",
    ",2020-01-02 12:00,,,0",
    '"1,234.5",2020-01-02T10:00:00.5+02:00,1.0,KÖLN,0',
    "1 234,2020-1-2,1e0,x,1",
    "9007199254740993,1970-01-01,9007199254740993,NA,0.0",
    "1e37,2262-04-12,True,\ufeffKöln,00",
    "$5,2020-01-02,#,Ko\u0308ln,1",
    "",
    "   ",
]
LEFT_OUT = [
    '"1,5",2020-01-02,1,Köln,0',
    '"1,234",2020-01-02,1,Köln,0',
    "1e300,2020-01-02,1,Köln,0",
    "inf,2020-01-02,1,Köln,0",
    "1.5,31/12/2020,1,Köln,0",
    "1.5,99999-01-01,1,Köln,0",
    "1.5,2020-01-02,1,Köln",
    "1.5,2020-01-02,1,Köln,0,0",
    '1.5,2020-01-02,1,"Kö\nln",0',
    '1.5,2020-01-02,1,"Köln,0',
    "1.5;2020-01-02;1;Köln;0",
    "1.5,2020-01-02,1,Köln,",
    "1.5,2020-01-02,1,Köln,maybe",
    "1.5,2020-01-02,1," + "x" * 140_000 + ",0",
    "# a comment",
    "1_000,2020-01-02,1,Köln,0",
    "\uff11\uff12,2020-01-02,1,Köln,0",
    "1.5,2020-01-02,1,Köln,0".encode("cp1252"),
    "1.5,2020-01-02,1,K\rln,0",
]


def csv(separator: str = ",") -> Write:
    def write(folder: Path, rows: Sequence[Any]) -> Path:
        header = "age,until,code,town,label".replace(",", separator)
        lines = [row if isinstance(row, bytes) else row.encode() for row in [header, *rows]]
        (folder / "own.csv").write_bytes(b"\n".join(lines) + b"\n")
        return folder / "own.csv"

    return write


def parquet(folder: Path, rows: Sequence[Any]) -> Path:
    kinds = [pa.float64(), pa.date32(), pa.int64(), pa.string(), pa.int64()]
    names = ["age", "until", "code", "town", "label"]
    columns = [
        pa.array(list(cells), kind)
        for cells, kind in zip(zip(*rows, strict=True), kinds, strict=True)
    ]
    pq.write_table(pa.table(dict(zip(names, columns, strict=True))), folder / "own.parquet")
    return folder / "own.parquet"


DAY = pd.Timestamp("2020-01-02").date()
TYPED = [(1.0 + i / 10, DAY, (1, 2, 2**53 + 1)[i % 3], "Köln", i % 2) for i in range(12)]
TYPED_READ = [
    (np.nan, DAY, None, None, 0),
    (-9.0, pd.Timestamp.max.date(), 7, "", 1),
    (1e37, DAY, 2**62, "x\ny", 0),
]
TYPED_LEFT_OUT = [
    (1e300, DAY, 1, "Köln", 0),
    (np.inf, DAY, 1, "Köln", 0),
    (1.0, None, 1, "Köln", 0),
    (1.0, DAY, 1, "Köln", None),
]
TYPED_COLUMNS = (*COLUMNS[:2], replace(COLUMNS[2], levels=("1", str(2**53 + 1))), COLUMNS[3])


def npz(kind: type) -> Write:
    def write(folder: Path, records: Sequence[Any]) -> Path:
        inputs = np.stack([np.asarray(record).astype(kind) for record, _ in records])
        np.savez(folder / "own.npz", x=inputs, y=np.array([label for _, label in records]))
        return folder / "own.npz"

    return write


def arrays(shape: tuple[int, ...], most: float, count: int = 12) -> list[tuple[np.ndarray, int]]:
    return [(RNG.integers(0, int(most) + 1, shape), i % 2) for i in range(count)]


IMAGE = (1, 8, 8)
LARGE = np.full(IMAGE, 300)


def packed(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def grey(seed: int, size: int = 11) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size), dtype=np.uint8)


def folder(root: Path, files: Sequence[Any]) -> Path:
    for name, content in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def listed(root: Path, files: Sequence[Any]) -> Path:
    folder(root, files)
    rows = [f"{name},{int(name[0] == '1')}" for name, _ in files if "/" not in name]
    (root / "labels.csv").write_text("\n".join(["file,label", *rows, ""]))
    return root


DEEP = packed(grey(1).astype(np.uint16) * 257)
COLOUR = packed(np.random.default_rng(2).integers(0, 256, (9, 12, 3), dtype=np.uint8))
CLEAR = packed(np.random.default_rng(3).integers(0, 256, (9, 9, 4), dtype=np.uint8))
UNIT = packed(np.random.default_rng(4).random((9, 9), dtype=np.float32), "TIFF")
BEYOND = packed(np.full((9, 9), -1000.0, dtype=np.float32), "TIFF")
FILES = [(f"{i % 2}/{i}.png", packed(grey(10 + i))) for i in range(8)]


def moments(folder: Path, recordings: Sequence[Any]) -> Path:
    lines = ["recording,time,x,y,label", *(line for one in recordings for line in one)]
    (folder / "own.csv").write_bytes("\n".join([*lines, ""]).encode())
    return folder / "own.csv"


def recording(name: str, *, step: float = 0.1, samples: int = 8, **cells: str) -> list[str]:
    """Return the lines of a recording; `cells` are what one moment says instead."""
    lines = []
    for i in range(samples):
        said = {"time": f"{step * i:.6g}", "x": f"{i / 7:.3f}", "y": f"{-i}", "label": "0"}
        said |= cells if i == 5 else {}
        lines.append(",".join([name, *said.values()]))
    return lines


def whole(folder: Path, rows: Sequence[Any]) -> Path:
    header = ",".join([*(f"x_{i}" for i in range(6)), "label"])
    (folder / "own.csv").write_bytes("\n".join([header, *rows, ""]).encode())
    return folder / "own.csv"


def saved(features: datasets.Features, names: Sequence[str]) -> Write:
    def write(folder: Path, rows: Sequence[Any]) -> Path:
        columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
        datasets.Dataset.from_dict(columns, features=features).save_to_disk(str(folder / "own"))
        return folder / "own"

    return write


PICTURES = saved(
    datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")}),
    ["image", "label"],
)
SERIES = saved(
    datasets.Features(
        {"x": datasets.List(datasets.Value("float64")), "label": datasets.Value("string")}
    ),
    ["x", "label"],
)
TABLE = saved(
    datasets.Features(
        {
            "age": datasets.Value("float64"),
            "until": datasets.Value("date32"),
            "code": datasets.Value("int64"),
            "town": datasets.Value("string"),
            "label": datasets.Value("int64"),
        }
    ),
    ["age", "until", "code", "town", "label"],
)
CASES = {
    "table, CSV": Case(
        source="table",
        write=csv(),
        usual=ROWS,
        read=READ,
        left_out=[*LEFT_OUT, "1.5,2020-01-02,1,Köln,0".encode("cp1252")],
        shape=(FEATURES,),
        columns=COLUMNS,
    ),
    "table, semicolons": Case(
        source="table",
        write=csv(";"),
        usual=[row.replace(",", ";") for row in ROWS],
        read=["1.5;9999-12-31;1;Köln, rechts;0"],
        left_out=["1,5;2020-01-02;1;Köln;0", "1,234;2020-01-02;1;Köln;0", "1,5,2,3,4,5"],
        shape=(FEATURES,),
        columns=COLUMNS,
    ),
    "table, Parquet": Case(
        source="table",
        write=parquet,
        usual=TYPED,
        read=TYPED_READ,
        left_out=TYPED_LEFT_OUT,
        shape=(len(normalisation_of(TYPED_COLUMNS).mean),),
        columns=TYPED_COLUMNS,
    ),
    "npz, bytes": Case(
        source="npz",
        write=npz(np.uint8),
        usual=arrays(IMAGE, 255),
        read=[(np.zeros(IMAGE), 0), (np.full(IMAGE, 255), 1)],
        left_out=[(np.zeros(IMAGE), 7)],
        shape=IMAGE,
    ),
    "npz, vectors": Case(
        source="npz",
        write=npz(np.int64),
        usual=arrays((5,), 255),
        read=[(np.full(5, 300), 0), (np.full(5, -(2**40)), 1)],
        left_out=[],
        shape=(5,),
    ),
    "npz, floats": Case(
        source="npz",
        write=npz(np.float64),
        usual=arrays(IMAGE, 1),
        read=[(LARGE, 0), (np.full(IMAGE, 1e30), 1)],
        left_out=[(np.full(IMAGE, 1e300), 0), (np.full(IMAGE, np.nan), 0)],
        shape=IMAGE,
    ),
    "folder": Case(
        source="folder",
        write=folder,
        usual=FILES,
        read=[
            ("0/a.png", DEEP),
            ("1/a.png", COLOUR),
            ("1/a.png", CLEAR),
            ("0/a.tif", UNIT),
            ("0/a.tif", BEYOND),
            ("0/köln.png", packed(np.zeros((3, 3), dtype=np.uint8))),
            ("0/labels.csv", b"file,label\n"),
        ],
        left_out=[("2/a.png", DEEP), ("val/a.png", DEEP), ("0/a.png", b"x"), ("1/a.png", b"")],
        shape=IMAGE,
        refused=[("train/0.png", DEEP)],
    ),
    "folder, colour": Case(
        source="folder",
        write=folder,
        usual=FILES,
        read=[("0/a.png", COLOUR), ("0/a.png", CLEAR), ("0/a.png", DEEP)],
        left_out=[],
        shape=(3, 8, 8),
    ),
    "folder with splits": Case(
        source="folder",
        write=folder,
        usual=[(f"train/{name}", content) for name, content in FILES],
        read=[("train/0/a.png", DEEP), ("test/0/a.png", COLOUR), ("val/1/a.png", COLOUR)],
        left_out=[("train/2/a.png", DEEP), ("train/0/a.png", b"x")],
        shape=IMAGE,
        refused=[("0/a.png", DEEP)],
    ),
    "folder with a table": Case(
        source="folder",
        write=listed,
        usual=[(name.replace("/", "-"), content) for name, content in FILES],
        read=[("a.png", DEEP), ("other/a.png", COLOUR), ("a.tif", BEYOND)],
        left_out=[("a.png", b"x"), ("a.txt", b"x")],
        shape=IMAGE,
    ),
    "series, long": Case(
        source="series",
        write=moments,
        usual=[recording(f"r{i}", y=f"{i}.5", x=f"{i}") for i in range(8)],
        read=[
            recording("a", x="1e30"),
            recording("a", y="9007199254740993"),
            recording("a", label="1"),
            recording("a", label="0.0"),
            recording("a", y=""),
            recording("a", samples=6),
            recording("a", x="1,234.5".join('""')),
            [""],
        ],
        left_out=[
            recording("a", x="inf"),
            recording("a", x="1e300"),
            recording("a", x='"1,5"'),
            recording("a", x="Köln"),
            recording("a", time="2020-01-02"),
            recording("a", time="0.1"),
            recording("a", step=0.3),
            recording("a", label="maybe"),
            recording(""),
            recording("a", samples=6, x="1,2,3"),
        ],
        shape=(2, 6),
        scale=(0.0, 3.0),
        settings=(("data.window", 6), ("data.step", 6)),
        rate=10.0,
    ),
    "series, wide": Case(
        source="series",
        write=whole,
        usual=[",".join([*map(str, RNG.random(6).round(3)), str(i % 2)]) for i in range(8)],
        read=["1,2,3,4,5,-1e20,0", "01,2.,.3,4,5 %,6,1"],
        left_out=[
            "1,2,3,4,5,,0",
            "1,2,3,4,5,1e300,0",
            '1,2,3,4,5,"1,5",0',
            "1,2,3,4,5,6,2",
            ",,,,,,0",
            "1,2,3,4,5,6,",
        ],
        shape=(1, 6),
    ),
    "series, npz": Case(
        source="series",
        write=npz(np.float32),
        usual=arrays((2, 6), 1),
        read=[(np.full((2, 6), 1e30), 0)],
        left_out=[(np.full((2, 6), np.inf), 0), (np.zeros((2, 6)), 2)],
        shape=(2, 6),
    ),
    "hub, images": Case(
        source="hub",
        write=PICTURES,
        usual=[({"bytes": content, "path": None}, i % 2) for i, (_, content) in enumerate(FILES)],
        read=[
            ({"bytes": content, "path": None}, 0) for content in (DEEP, COLOUR, CLEAR, UNIT, BEYOND)
        ],
        left_out=[
            ({"bytes": b"x", "path": None}, 0),
            ({"bytes": DEEP, "path": None}, 7),
            ({"bytes": DEEP, "path": None}, None),
            (None, 0),
        ],
        shape=IMAGE,
    ),
    "hub, series": Case(
        source="hub",
        write=SERIES,
        usual=[(RNG.random(6).tolist(), "01"[i % 2]) for i in range(6)],
        read=[([1e30] * 6, "0"), ([0.0] * 6, " 1 ")],
        left_out=[
            ([], "0"),
            ([1.0] * 5, "0"),
            ([1.0] * 6, None),
            ([None] * 6, "0"),
            ([1e300] * 6, "0"),
            ([1.0] * 6, "x"),
        ],
        shape=(1, 6),
    ),
    "hub, table": Case(
        source="hub",
        write=TABLE,
        usual=TYPED,
        read=TYPED_READ,
        left_out=TYPED_LEFT_OUT,
        shape=(len(normalisation_of(TYPED_COLUMNS).mean),),
        columns=TYPED_COLUMNS,
    ),
}


def test_there_is_a_case_of_every_source() -> None:
    assert {case.source for case in CASES.values()} | FIXED == {*SOURCES.names()}


def rows_of(split: Split) -> list[bytes]:
    """Return each record with its label, to the bit."""
    pairs = zip(split.inputs.flatten(1), split.labels, strict=True)
    return [row.numpy().tobytes() + bytes([int(label)]) for row, label in pairs]


@pytest.mark.parametrize("name", CASES)
def test_one_more_record_changes_no_other(name: str, tmp_path: Path) -> None:
    case, number = CASES[name], 0

    def written(records: Sequence[Any]) -> Path:
        nonlocal number
        number += 1
        (tmp_path / str(number)).mkdir()
        return case.write(tmp_path / str(number), records)

    before = case.load(written(case.usual))
    known = rows_of(before)
    assert len(known) >= len(case.usual)
    for place, one in enumerate(case.read):
        at = (0, len(case.usual) // 2, len(case.usual))[place % 3]
        after = case.load(written([*case.usual[:at], one, *case.usual[at:]]))
        left = rows_of(after)
        for row in known:
            assert row in left, one
            left.remove(row)
        assert len(left) <= 1, one
        assert case.moved(before, after) <= 1 + 1e-6
    for place, one in enumerate(case.left_out):
        at = (0, len(case.usual) // 2, len(case.usual))[place % 3]
        assert rows_of(case.load(written([*case.usual[:at], one, *case.usual[at:]]))) == known, one
        assert len(case.load(written([one]))) == 0, one
    for one in case.refused:
        with pytest.raises(DataError):
            case.load(written([*case.usual, one]))


def test_a_file_of_a_folder_that_is_no_recording_is_left_out(tmp_path: Path) -> None:
    case = CASES["series, long"]
    header = "time,x,y,label\n"
    files = {
        f"r{i}.csv": header + "\n".join(line.split(",", 1)[1] for line in recording("r", y=f"{i}"))
        for i in range(3)
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    known = rows_of(case.load(tmp_path))
    assert len(known) == 3
    for broken in (b"", b"\xff\xfe", b"time,x,label\n0,1,0\n", b"time,x,y,z,label\n0,1,2,3,0\n"):
        (tmp_path / "a.csv").write_bytes(broken)
        assert rows_of(case.load(tmp_path)) == known


def test_two_subjects_whose_recordings_have_one_name_stay_apart(tmp_path: Path) -> None:
    case = CASES["series, long"]
    settings = (*case.settings, ("data.subject", "who"))
    path = tmp_path / "own.csv"
    lines = [f"{line},ann" for line in recording("r1")]
    path.write_text("\n".join(["recording,time,x,y,label,who", *lines]))
    before = replace(case, settings=settings).load(path)
    others = [f"{line},bob" for line in recording("r1", y="7")]
    nobody = [f"{line}, " for line in recording("r1", y="8")]
    path.write_text("\n".join(["recording,time,x,y,label,who", *others, *lines, *nobody]))
    after = replace(case, settings=settings).load(path)
    assert rows_of(before) == rows_of(after)[:1]
    assert len(after) == 2
    assert after.subjects is not None
    assert len(set(after.subjects.tolist())) == 2


@pytest.mark.parametrize(
    "labels", [[0.0, 1.0, np.nan, 0.5, np.inf], [[1, 0], [0, 1], [1, 1], [0, 0], [7, -6]]]
)
def test_an_array_of_labels_is_read_row_by_row(labels: list[Any], tmp_path: Path) -> None:
    case = CASES["npz, vectors"]
    np.savez(tmp_path / "own.npz", x=np.arange(25.0).reshape(5, 5), y=np.array(labels))
    assert case.load(tmp_path / "own.npz").labels.tolist() == [0, 1]


def test_a_date_that_python_has_not_is_a_cell_that_cannot_be_read(tmp_path: Path) -> None:
    case = CASES["table, Parquet"]
    frame = pq.read_table(parquet(tmp_path, TYPED))
    far = pa.array([10**7, *([0] * (len(TYPED) - 1))], pa.int32()).cast(pa.date32())
    pq.write_table(frame.set_column(1, "until", far), tmp_path / "own.parquet")
    assert len(case.load(tmp_path / "own.parquet")) == len(TYPED) - 1


def test_what_is_refused_is_what_cannot_be_read_alone(tmp_path: Path) -> None:
    for kind in (np.uint16, np.int64):
        case = replace(CASES["npz, bytes"], write=npz(kind))
        with pytest.raises(DataError, match=r"uint8 or floats, with privacy\.mode"):
            case.load(case.write(tmp_path, case.usual))
    table = CASES["table, CSV"]
    frame = pd.DataFrame({"age": [1.5], "label": ["0"]})
    frame.to_excel(tmp_path / "own.xlsx")
    with pytest.raises(DataError, match="CSV or Parquet"):
        table.load(tmp_path / "own.xlsx")
    with pytest.raises(DataError, match="a schema of the table"):
        replace(table, columns=()).load(table.write(tmp_path, table.usual))
    with pytest.raises(DataError, match="what save_to_disk left"):
        replace(table, source="hub").load(tmp_path / "own.csv")


def test_a_source_that_says_nothing_of_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npz_source = SOURCES.get("npz")

    def other(cfg: Any) -> Source:
        return npz_source(cfg)

    case = CASES["npz, vectors"]
    path = case.write(tmp_path, case.usual)
    monkeypatch.setattr("fdd_flower.data.subjects.SOURCES.get", lambda _: other)
    assert len(case.load(path, alone=False)) == len(case.usual)
    with pytest.raises(DataError, match="a source that reads each record alone"):
        case.load(path)


CHANGED = {
    "npz, bytes": (npz(np.uint16), (LARGE, 0)),
    "table, CSV": (csv(), "1.5,2020-01-02,1,Köln,0".encode("cp1252")),
}


@pytest.mark.parametrize("name", CHANGED)
def test_without_a_private_mode_one_record_may_change_all(name: str, tmp_path: Path) -> None:
    # else the test above could not fail
    write, one = CHANGED[name]
    case = replace(CASES[name], write=write)
    (tmp_path / "more").mkdir()
    before = case.load(write(tmp_path, case.usual), alone=False)
    after = case.load(write(tmp_path / "more", [*case.usual, one]), alone=False)
    assert case.moved(before, after) > 2
    assert torch.equal(before.labels, after.labels[:-1])
