"""A table, CSV or Parquet: one record per row, one feature per column, the class in a column."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fdd_flower.config import DataConfig
from fdd_flower.data.base import SOURCES, Records, Source, refuse, shown
from fdd_flower.data.groups import column_of_groups, grouped
from fdd_flower.data.sources.paths import check_inflated, given_path
from fdd_flower.data.subjects import numbered, tests_only
from fdd_flower.schema import Column

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".parquet")


@SOURCES.register("table")
def table(cfg: DataConfig) -> Source:
    """Return the rows as float32 (n, d), the columns sorted by name.

    `cfg.path` is a file, or a folder with `train.csv` and perhaps `test.csv` (or
    `.parquet`). The order of the columns in the file does not count, so that nodes whose
    files order them differently still agree. A class is called what the file says. A column
    called `cfg.subject` says whose each training record is, and is no feature; nor is one called
    `cfg.column`, which says what group a record is of.

    Raises
    ------
    DataError
        If a file cannot be read, the column of labels or subjects is missing, or a cell is no
        finite number.
    """
    train_path, test_path = _files(given_path(cfg))
    train = _read(train_path, cfg.label)
    test = _read(test_path, cfg.label) if test_path else None
    groups, test_groups = (
        None if part is None else column_of_groups(str(at), part, cfg.column, cfg.label)
        for at, part in ((train_path, train), (test_path, test))
    )
    train, subjects = _without_subjects(train_path, train, cfg)
    train = train.drop(columns=cfg.column, errors="ignore")
    if test is not None:
        test = test.drop(columns=[cfg.subject, cfg.column], errors="ignore")
    if test is not None and set(test.columns) != set(train.columns):
        raise refuse(
            str(test_path),
            expected=f"the columns of {train_path.name}",
            got="different columns: " + shown(sorted(set(test.columns) ^ set(train.columns))),
            remedy="Write both files with the same columns.",
        )
    frames = [train] if test is None else [train, test]
    names = sorted({name for frame in frames for name in frame[cfg.label]})
    found = Source(
        train=replace(_records(train_path, train, cfg.label, names), subjects=subjects),
        test=None
        if test is None or test_path is None
        else _records(test_path, test, cfg.label, names),
        classes=tuple(names),
        columns=tuple(Column(name=name) for name in _features(train, cfg.label)),
    )
    return found if groups is None else grouped(found, groups, test_groups)


def parquet_bytes(path: Path) -> int:
    """Return the least that a Parquet file takes in memory, as its own metadata says."""
    from pyarrow.parquet import read_metadata

    found = read_metadata(path)
    return 8 * found.num_rows * found.num_columns


def _files(path: Path) -> tuple[Path, Path | None]:
    if not path.is_dir():
        return path, None
    train, test = (
        next((file for s in SUFFIXES if (file := path / f"{name}{s}").is_file()), None)
        for name in ("train", "test")
    )
    if train is None:
        raise refuse(
            str(path),
            expected="train.csv or train.parquet",
            got=shown(sorted(file.name for file in path.iterdir())) or "an empty folder",
            remedy="Rename the file, or set data.path to the file itself.",
        )
    return train, test


def _read(path: Path, label: str) -> pd.DataFrame:
    """Return the table with its labels as text."""
    # Labels stay as written: pandas would read 1 here and 1.0 on another node.
    frame = read_frame(path, text=label)
    _check_columns(path, frame, label)
    missing = np.flatnonzero(frame[label].isna())
    if len(missing):
        raise refuse(
            f"{path}: column {label!r}",
            expected="a class in every row",
            got=f"nothing in row {missing[0] + 1}, counted from 1 below the header",
            remedy="Fill in or drop such rows.",
        )
    frame[label] = frame[label].map(str)
    return frame


def read_frame(path: Path, *, text: str = "") -> pd.DataFrame:
    """Return the table in a file; the column called `text`, if there is one, as it is written.

    Raises
    ------
    DataError
        If the file is no table that pandas can read.
    """
    import pandas as pd

    if path.suffix.lower() not in SUFFIXES:
        raise refuse(
            str(path),
            expected=f"a file that ends in {' or '.join(SUFFIXES)}",
            got=path.suffix or "no ending",
            remedy="Save the table as CSV or Parquet.",
        )
    try:
        if path.suffix.lower() == ".csv":
            frame = pd.read_csv(path, dtype={text: str}, skipinitialspace=True)
            if not isinstance(frame.index, pd.RangeIndex):
                # pandas made the first field an index, and every column holds its neighbour's.
                raise ValueError("rows with more fields than the header")
        else:
            check_inflated(path, parquet_bytes(path))
            frame = pd.read_parquet(path)
    # Parser errors of pandas and pyarrow are all ValueErrors.
    except (OSError, ValueError) as error:
        raise refuse(
            str(path),
            expected="a table that pandas can read",
            got=error,
            remedy="Save it again as UTF-8 CSV with a header line, or as Parquet.",
        ) from error
    frame.columns = frame.columns.map(str)
    return frame


def _without_subjects(
    path: Path, frame: pd.DataFrame, cfg: DataConfig
) -> tuple[pd.DataFrame, np.ndarray | None]:
    """Return the table without its column of subjects, and these as numbers."""
    absent = cfg.subject not in frame.columns
    if not cfg.subject or (absent and tests_only(cfg)):
        return frame, None
    others = [name for name in frame.columns if name != cfg.label]
    if cfg.subject not in others or len(others) < 2:
        raise refuse(
            f"{path}: data.subject",
            expected=f"a column beside the label and the features, of {shown(others)}",
            got=repr(cfg.subject),
            remedy="Set data.subject to the column that says whose a record is.",
        )
    missing = np.flatnonzero(frame[cfg.subject].isna())
    if len(missing):
        raise refuse(
            f"{path}: column {cfg.subject!r}",
            expected="a subject in every row",
            got=f"nothing in row {missing[0] + 1}, counted from 1 below the header",
            remedy="Fill in or drop such rows.",
        )
    return frame.drop(columns=cfg.subject), numbered(frame[cfg.subject])


def _check_columns(path: Path, frame: pd.DataFrame, label: str) -> None:
    columns = list(frame.columns)
    if label not in columns:
        raise refuse(
            f"{path}: data.label",
            expected=f"one of the columns {shown(columns)}",
            got=repr(label),
            remedy="Set data.label to the column that holds the class.",
        )
    if len(columns) < 2 or len(frame) == 0:
        raise refuse(
            str(path),
            expected="at least one row, and one column beside the label",
            got=f"{len(frame)} rows and {len(columns)} columns",
            remedy="Check how the file was written.",
        )
    for column in columns:
        # An index that pandas wrote: on sorted data it gives the class away.
        if column.startswith("Unnamed: "):
            raise refuse(
                f"{path}: {column!r}",
                expected="a name for every column",
                got="a column without one",
                remedy="Write the file with index=False, or name the column.",
            )


def _records(path: Path, frame: pd.DataFrame, label: str, names: list[str]) -> Records:
    place = {name: i for i, name in enumerate(names)}
    return Records(
        inputs=np.stack(
            [numbers(path, frame, column) for column in _features(frame, label)], axis=1
        ),
        labels=np.array([place[name] for name in frame[label]], dtype=np.int64),
    )


def _features(frame: pd.DataFrame, label: str) -> list[str]:
    return sorted(column for column in frame.columns if column != label)


def numbers(path: Path, frame: pd.DataFrame, column: str) -> np.ndarray:
    """Return one column of a table as float32 (n,).

    Raises
    ------
    DataError
        If a cell is no finite number.
    """
    import pandas as pd

    values = frame[column]
    what = f"{path}: column {column!r}"
    if not pd.api.types.is_numeric_dtype(values):
        numeric = pd.Series(pd.to_numeric(values, errors="coerce"))
        words = values.to_numpy()[(values.notna() & numeric.isna()).to_numpy()]
        raise refuse(
            what,
            expected="numbers",
            got=repr(str(words[0])) if len(words) else values.dtype,
            remedy="Encode the column as numbers or drop it.",
        )
    with np.errstate(over="ignore"):
        found = values.to_numpy(dtype=np.float64, na_value=np.nan).astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(found))
    if len(bad):
        raise refuse(
            what,
            expected="finite numbers in float32's range",
            got=f"{values.iloc[bad[0]]} in row {bad[0] + 1}, counted from 1 below the header",
            remedy="Fill in or drop such rows.",
        )
    return found
