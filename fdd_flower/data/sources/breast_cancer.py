"""Wisconsin breast cancer: 569 records of 30 features, 2 classes (UCI, inside scikit-learn)."""

from __future__ import annotations

from fdd_flower.config import DataConfig
from fdd_flower.data.base import SOURCES, Source
from fdd_flower.data.sources._embedded import no_path, table_source


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
    return table_source(load_breast_cancer())
