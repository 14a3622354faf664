"""Wine: 178 records of 13 features, 3 cultivars (UCI, inside scikit-learn)."""

from __future__ import annotations

from fdd_flower.config import DataConfig
from fdd_flower.data.base import SOURCES, Source
from fdd_flower.data.sources._embedded import no_path, table_source


@SOURCES.register("wine")
def wine(cfg: DataConfig) -> Source:
    """Return all records: float32 (178, 13) in the units they were measured in.

    Raises
    ------
    DataError
        If `cfg.path` is set.
    """
    from sklearn.datasets import load_wine

    no_path(cfg)
    return table_source(load_wine())
