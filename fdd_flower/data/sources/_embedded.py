"""The data sets that ship inside scikit-learn: no file, no download."""

from __future__ import annotations

from fdd_flower.config import DataConfig
from fdd_flower.data.base import refuse


def no_path(cfg: DataConfig) -> None:
    """Refuse a path: ignoring it would pass the public set off as somebody's own data.

    Raises
    ------
    DataError
        If `cfg.path` is set.
    """
    if cfg.path:
        raise refuse(
            "data.path",
            expected=f"nothing for data.name={cfg.name}, which ships with scikit-learn",
            got=repr(cfg.path),
            remedy="Leave data.path empty, or set data.name to folder, npz or table.",
        )
