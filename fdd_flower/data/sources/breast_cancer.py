"""Wisconsin breast cancer: 569 records of 30 features, 2 classes (UCI, inside scikit-learn)."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from fdd_flower.config import DataConfig
from fdd_flower.data.base import SOURCES, Records, Source
from fdd_flower.data.sources._embedded import no_path


@SOURCES.register("breast-cancer")
def breast_cancer(cfg: DataConfig) -> Source:
    """Return all records: float32 (569, 30) in the units they were measured in.

    Raises
    ------
    DataError
        If `cfg.path` is set.
    """
    from sklearn.datasets import load_breast_cancer

    no_path(cfg)
    bunch = cast(Any, load_breast_cancer())
    return Source(
        train=Records(inputs=bunch.data.astype(np.float32), labels=bunch.target.astype(np.int64)),
        test=None,
        classes=tuple(str(name) for name in bunch.target_names),
        columns=tuple(str(name) for name in bunch.feature_names),
    )
