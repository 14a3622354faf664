"""Tables of recordings: one file, one a split, or a folder with a file a recording."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_flower.config import DataConfig
from fdd_flower.data.base import refuse, shown
from fdd_flower.data.images.files import visible_files
from fdd_flower.data.tables.files import COMMA, SUFFIXES, ending, read_frame, require_rows

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The tables of one split.

    Attributes
    ----------
    path
        The file, or the folder that they are in.
    files
        Sorted; of a folder each is a recording, unless it says itself which its rows are of.
    """

    path: Path
    files: list[Path]


def splits_of(path: Path) -> list[Tables]:
    """Return the tables to train on and, if there are any, those to test on.

    Of a folder that is the table `train` and perhaps `test`; or the folders `train` and perhaps
    `test`; or else every table below it.

    Raises
    ------
    DataError
        If a folder holds no table.
    """
    if not path.is_dir():
        return [tables_of(path)]
    files = [
        next((file for s in SUFFIXES if (file := path / f"{name}{s}").is_file()), None)
        for name in SPLITS
    ]
    if files[0] is not None:
        return [Tables(path=file, files=[file]) for file in files if file is not None]
    folders = [path / name for name in SPLITS if (path / name).is_dir()]
    if len(folders) < len(SPLITS):
        folders = [path]
    return [tables_of(folder) for folder in folders]


def tables_of(path: Path) -> Tables:
    """Return a table, or every table below a folder.

    Raises
    ------
    DataError
        If a folder holds none.
    """
    if not path.is_dir():
        return Tables(path=path, files=[path])
    files = visible_files(path)
    found = [file for file in files if ending(file) in SUFFIXES]
    if not found:
        raise refuse(
            str(path),
            expected=f"a table that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}",
            got=shown(file.name for file in files) or "an empty folder",
            remedy="Save the recordings as CSV or Parquet, or set data.path to the file.",
        )
    return Tables(path=path, files=found)


def read_tables(tables: Tables, cfg: DataConfig, *, labelled: bool = True) -> pd.DataFrame:
    """Return all rows of a split as one table.

    In a folder, a file without the column `cfg.recording` is a recording, called as it is; and one
    without the column `cfg.label` is of the class that its folder is called.

    Parameters
    ----------
    labelled
        Whether classes are looked for.

    Raises
    ------
    DataError
        If a file cannot be read, has no row, or other columns than the first, or is written in
        another form.
    """
    frames = [require_rows(file, read_frame(file, text=cfg.label)) for file in tables.files]
    if tables.path in tables.files:
        return frames[0]
    import pandas as pd

    frames = [
        named(file.relative_to(tables.path), frame, cfg, labelled=labelled)
        for file, frame in zip(tables.files, frames, strict=True)
    ]
    first = frames[0]
    for file, frame in zip(tables.files, frames, strict=True):
        if {*frame.columns} != {*first.columns}:
            raise refuse(
                str(file),
                expected=f"the columns {shown(first.columns)}, as in {tables.files[0].name}",
                got=shown(frame.columns),
                remedy="Write all files of the folder alike, or leave this one out.",
            )
        if frame.attrs.get(COMMA) != first.attrs.get(COMMA):
            raise refuse(
                str(file),
                expected=f"decimals written as in {tables.files[0].name}",
                got="commas in one of the two and points in the other",
                remedy="Write all files of the folder alike.",
            )
    joined = pd.concat(frames, ignore_index=True)
    joined.attrs.update(first.attrs)
    return joined


def named(name: Path, frame: pd.DataFrame, cfg: DataConfig, *, labelled: bool) -> pd.DataFrame:
    """Return the table of the file `name`, below the folder, with its recording and its class."""
    more: dict[str, str] = {}
    if cfg.recording not in frame.columns:
        more[cfg.recording] = name.with_suffix("").as_posix()
    if labelled and cfg.label not in frame.columns and len(name.parts) > 1:
        more[cfg.label] = name.parts[0]
    made = frame.assign(**more)  # pyright: ignore[reportArgumentType]
    made.attrs.update(frame.attrs)
    return made
