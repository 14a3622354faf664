"""Handwritten digits, 8x8 grey: 1,797 images of 10 classes (UCI, inside scikit-learn)."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from fdd_flower.config import DataConfig
from fdd_flower.data.base import SOURCES, Records, Source
from fdd_flower.data.sources._embedded import no_path
from fdd_flower.schema import Normalisation


@SOURCES.register("digits")
def digits(cfg: DataConfig) -> Source:
    """Return all digits: float32 (1797, 1, 8, 8) in [0, 1], as 17 grey levels.

    Raises
    ------
    DataError
        If `cfg.path` is set.
    """
    from sklearn.datasets import load_digits

    no_path(cfg)
    bunch = cast(Any, load_digits())
    return Source(
        train=Records(
            inputs=(bunch.images / 16).astype(np.float32)[:, None],
            labels=bunch.target.astype(np.int64),
        ),
        test=None,
        classes=tuple("0123456789"),
        normalisation=Normalisation(mean=(0.3053,), std=(0.3760,)),
    )
