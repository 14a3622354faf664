"""Where a source looks for its files."""

from __future__ import annotations

import os
from pathlib import Path

from fdd_flower.config import DataConfig
from fdd_flower.data.base import refuse

MOST_INFLATED = 2**30  # bytes that any file may take in memory


def given_path(cfg: DataConfig) -> Path:
    """Return the file or folder that `data.path` names.

    Raises
    ------
    DataError
        If it is not set or does not exist.
    """
    if not cfg.path:
        raise refuse(
            "data.path",
            expected=f"a file or folder for data.name={cfg.name}",
            got="nothing",
            remedy="Set data.path to where the data is, as an absolute path.",
        )
    path = Path(os.path.expanduser(cfg.path))
    if not os.path.exists(path):
        raise refuse(
            "data.path",
            expected="a file or folder that exists and may be read",
            got=path.absolute(),
            remedy="Correct data.path; Flower's processes start elsewhere, so make it absolute.",
        )
    return path


def download_folder() -> Path:
    """Return where torchvision's data sets are downloaded to."""
    return Path.home() / ".fdd-flower" / "data"


def check_inflated(path: Path, size: int) -> None:
    """Refuse a file that is small on the disk and huge in memory, before it is read.

    Parameters
    ----------
    size
        Bytes that it says it takes.

    Raises
    ------
    DataError
        If that is above a gibibyte, and a hundred times the bytes of the file.
    """
    there = path.stat().st_size
    if size > max(MOST_INFLATED, 100 * there):
        raise refuse(
            str(path),
            expected=f"at most {MOST_INFLATED} bytes in memory, or 100 times the file's {there}",
            got=size,
            remedy="If the file is honest, save it with less compression.",
        )
