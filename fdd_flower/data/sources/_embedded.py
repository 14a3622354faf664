"""The data sets that ship inside scikit-learn: no file, no download."""

from __future__ import annotations

from typing import Any

import numpy as np

from fdd_flower.config import DataConfig
from fdd_flower.data.base import Records, Source, refuse
from fdd_flower.schema import Column


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


def table_source(bunch: Any) -> Source:
    """Return a table of scikit-learn's, in the units it was measured in, with its own names."""
    return Source(
        train=Records(inputs=bunch.data.astype(np.float32), labels=bunch.target.astype(np.int64)),
        test=None,
        classes=tuple(str(name) for name in bunch.target_names),
        columns=tuple(Column(name=str(name)) for name in bunch.feature_names),
    )
