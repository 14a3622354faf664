"""A table: one record per row, a column per property, the class in a column."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fdd_flower.config import DataConfig
from fdd_flower.data.alone.table import frame_alone, no_schema
from fdd_flower.data.base import SOURCES, Agreed, Source, refuse, shown
from fdd_flower.data.sources.paths import given_path
from fdd_flower.data.tables.files import SUFFIXES, read_frame
from fdd_flower.data.tables.rows import rows_source
from fdd_flower.schema import Schema

if TYPE_CHECKING:
    import pandas as pd


@SOURCES.register("table")
def table(cfg: DataConfig, *, schema: Schema | None = None, agreed: Agreed | None = None) -> Source:
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
    agreed
        Given, each row of the file to train on is read alone; see `frame_alone`.

    Raises
    ------
    DataError
        If a file cannot be read, the column of labels or subjects is missing, a label is not one
        of the schema's classes, or a cell is not of its column's kind.
    """
    train_path, test_path = _files(given_path(cfg))
    label = cfg.label if schema is None else schema.label
    if agreed is not None:
        if schema is None:
            raise no_schema(str(train_path))
        wanted = [column.name for column in schema.columns if column.kind != "ignore"]
        frame = frame_alone(train_path, text=label, only=[*wanted, cfg.subject])
        return rows_source([str(train_path)], [frame], cfg, schema)
    paths = [train_path] if test_path is None else [train_path, test_path]
    frames = [_read(path, label, test=path == test_path) for path in paths]
    return rows_source([str(path) for path in paths], frames, cfg, schema)


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
    return frame
