"""A table: one record per row, a column per property, the class in a column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fdd_flower.config import DataConfig
from fdd_flower.data.base import SOURCES, Records, Source, refuse, shown
from fdd_flower.data.groups import column_of_groups, grouped
from fdd_flower.data.sources.paths import given_path
from fdd_flower.data.subjects import numbered, tests_only
from fdd_flower.data.tables.cells import cells_of
from fdd_flower.data.tables.classes import (
    check_classes,
    check_spelling,
    class_key,
    joined,
    places,
)
from fdd_flower.data.tables.draft import draft_columns
from fdd_flower.data.tables.files import SUFFIXES, headless, read_frame
from fdd_flower.data.tables.numbers import Series
from fdd_flower.schema import Column, Schema

if TYPE_CHECKING:
    import pandas as pd


@SOURCES.register("table")
def table(cfg: DataConfig, *, schema: Schema | None = None) -> Source:
    """Return the rows as cells: float64 (n, number of columns), in the order of the schema.

    `cfg.path` is a file, or a folder with `train.csv` and perhaps `test.csv` (or another of
    `SUFFIXES`). Columns are found by name: their order in the file does not count. A class is
    called what the file says; of spellings of one number, 0 and 0.0, the shortest. A column called
    `cfg.subject` says whose each training record is, and is no feature; nor is one called
    `cfg.column`, which says what group a record is of, unless the schema has it.

    Parameters
    ----------
    schema
        What the columns are. None: it is drafted from the rows, columns sorted by name.

    Raises
    ------
    DataError
        If a file cannot be read, the column of labels or subjects is missing, a label is not one
        of the schema's classes or spelt in two ways, or a cell is not of its column's kind.
    """
    train_path, test_path = _files(given_path(cfg))
    label = cfg.label if schema is None else schema.label
    paths = [train_path] if test_path is None else [train_path, test_path]
    frames = [_read(path, label, test=path == test_path) for path in paths]
    groups = [
        column_of_groups(str(path), frame, cfg.column, label)
        for path, frame in zip(paths, frames, strict=True)
    ]
    subjects = _subjects(train_path, frames[0], cfg)
    columns = _columns(paths, frames, cfg, label) if schema is None else schema.columns
    columns = tuple(column for column in columns if column.kind != "ignore")
    labels = [frame[label] for frame in frames]
    names, classes = _classes(train_path, label, labels, schema)
    parts = [
        Records(
            inputs=cells_of(str(path), frame, columns),
            labels=places(frame[label], names, classes),
            subjects=subjects if path == train_path else None,
        )
        for path, frame in zip(paths, frames, strict=True)
    ]
    found = Source(
        train=parts[0],
        test=parts[1] if test_path else None,
        classes=classes,
        columns=columns,
        in_cells=True,
        label=label,
        prior=() if schema is None else schema.prior,
    )
    return found if groups[0] is None else grouped(found, groups[0], *groups[1:])


def _columns(
    paths: list[Path], frames: list[pd.DataFrame], cfg: DataConfig, label: str
) -> tuple[Column, ...]:
    """Return the columns as the rows have them, those of both splits."""
    import pandas as pd

    drop = {label, cfg.subject, cfg.column}
    kept = [frame.drop(columns=[*drop & {*frame.columns}]) for frame in frames]
    if len(kept) > 1 and {*kept[0].columns} != {*kept[1].columns}:
        raise refuse(
            str(paths[1]),
            expected=f"the columns of {paths[0].name}",
            got="different columns: " + shown(sorted({*kept[0].columns} ^ {*kept[1].columns})),
            remedy="Write both files with the same columns.",
        )
    rows = pd.concat(kept, ignore_index=True).sort_index(axis=1)
    rows.attrs = kept[0].attrs
    return draft_columns(str(paths[0]), rows)


def _classes(
    path: Path,
    label: str,
    labels: Sequence[Series],
    schema: Schema | None,
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the class of each label, and all classes in order."""
    names = joined([part.tolist() for part in labels])
    held = [{names[name] for name in part} for part in labels]
    if schema is None:
        check_classes(path, label, labels[0])
        check_spelling(str(path), held[0], held[1] if len(held) > 1 else set())
        return names, tuple(sorted({*names.values()}))
    known = {class_key(name): name for name in schema.classes}
    unknown = sorted(name for name in names if class_key(name) not in known)
    if unknown:
        raise refuse(
            f"{path}: column {label!r}",
            expected=f"one of the schema's classes, {shown(schema.classes)}",
            got=shown(map(repr, unknown)),
            remedy="Rename or remove these records, or let the schema name the class.",
        )
    return {name: known[class_key(name)] for name in names}, schema.classes


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
            expected="train.csv or train.parquet, or another kind of table called train",
            got=shown(sorted(file.name for file in path.iterdir())) or "an empty folder",
            remedy="Rename the file, or set data.path to the file itself.",
        )
    return train, test


def _read(path: Path, label: str, *, test: bool) -> pd.DataFrame:
    """Return the table with its labels as text."""
    frame = read_frame(path, text=label)
    if test and label not in frame.columns:
        raise refuse(
            str(path),
            expected=f"the column {label!r}, to measure on",
            got="a table without labels",
            remedy="Add the labels; or call the file something else, and pass it to `fdd predict`.",
        )
    _check_columns(path, frame, label)
    missing = np.flatnonzero(frame[label].isna())
    if len(missing):
        raise refuse(
            f"{path}: column {label!r}",
            expected="a class in every row",
            got=f"nothing in row {missing[0] + 1}, counted from 1 below the header",
            remedy="Fill in or drop such rows.",
        )
    return frame


def _subjects(path: Path, frame: pd.DataFrame, cfg: DataConfig) -> np.ndarray | None:
    """Return whose each record is, as numbers."""
    absent = cfg.subject not in frame.columns
    if not cfg.subject or (absent and tests_only(cfg)):
        return None
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
    return numbered(frame[cfg.subject])


def _check_columns(path: Path, frame: pd.DataFrame, label: str) -> None:
    columns = list(frame.columns)
    if label not in columns:
        raise refuse(
            f"{path}: data.label",
            expected=f"one of the columns {shown(columns)}",
            got=repr(label),
            remedy="Set data.label to the column that holds the class."
            if not headless(columns)
            else "The first line looks like a record: write the columns' names above it.",
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
