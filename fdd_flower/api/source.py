"""Where the records of a run come from, as a notebook user would say it."""

from __future__ import annotations

from pathlib import Path

from fdd_flower.config import Scalar
from fdd_flower.data.base import SOURCES, refuse
from fdd_flower.data.tables.files import SUFFIXES, ending


def data_settings(data: str | Path) -> dict[str, Scalar]:
    """Return `data.name` and `data.path` for a data set's name, a file or a folder.

    A CSV, Parquet, Feather or Excel file is a table, an NPZ file an archive of arrays; a folder
    holds the files of a table, or else images with a folder for each class.

    Raises
    ------
    DataError
        If it is none of these.
    """
    if isinstance(data, str) and data in SOURCES.names():
        return {"data.name": data}
    if not isinstance(data, str | Path):
        raise refuse(
            "data",
            expected="the name of a data set, or the path of a file or folder",
            got=type(data).__name__,
            remedy="Save arrays with numpy.savez(path, x=x, y=y), and pass the path.",
        )
    path = Path(data).expanduser().absolute()
    name = _kind_of(path)
    if name is None:
        raise refuse(
            "data",
            expected=f"one of {', '.join(SOURCES.names())}, or the path of a CSV, Parquet or NPZ "
            "file, or of a folder",
            got=repr(str(data)),
            remedy="Check the name and the path.",
        )
    return {"data.name": name, "data.path": str(path)}


def _kind_of(path: Path) -> str | None:
    if path.is_dir():
        table = any((path / f"train{suffix}").is_file() for suffix in SUFFIXES)
        return "table" if table else "folder"
    if not path.is_file():
        return None
    suffix = path.suffix.lower()
    return "table" if ending(path) in SUFFIXES else "npz" if suffix == ".npz" else None
