"""Where a source looks for its files."""

from __future__ import annotations

import os
from pathlib import Path

from fdd_flower.config import DataConfig
from fdd_flower.data.base import refuse


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
