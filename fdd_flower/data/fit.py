"""What a data set without published splits or constants is given: both."""

from __future__ import annotations

import math

import numpy as np

from fdd_flower.data.base import Records, refuse
from fdd_flower.rng import derive
from fdd_flower.schema import Normalisation

# Below this a feature is constant, and dividing by its spread would only raise noise.
STD_FLOOR = 1e-6


def fit_normalisation(records: Records) -> Normalisation:
    """Return mean and standard deviation per channel, or a feature, of `records`.

    uint8 is measured on the [0, 1] scale; a spread below `STD_FLOOR` counts as 1.
    """
    x = records.inputs
    axes = (0, *range(2, x.ndim))
    scale = 255 if x.dtype == np.uint8 else 1
    mean = x.mean(axis=axes, dtype=np.float64) / scale
    std = x.std(axis=axes, dtype=np.float64) / scale
    std[std < STD_FLOOR] = 1
    return Normalisation(mean=tuple(mean.tolist()), std=tuple(std.tolist()))


def hold_out(
    records: Records, fraction: float, *, seed: int, option: str = "data.test-fraction"
) -> tuple[Records, Records]:
    """Return training and test records, `fraction` of every class in the test's.

    A fraction of 1 leaves no training records: a server that only tests. `option` is the setting
    that asked for it.

    Raises
    ------
    DataError
        If a class is too small to be in both.
    """
    from sklearn.model_selection import train_test_split

    everything = np.arange(len(records))
    if fraction == 1:
        return records.take(everything[:0]), records
    _, counts = np.unique(records.labels, return_counts=True)
    try:
        train, test = train_test_split(
            everything,
            test_size=fraction,
            stratify=records.labels,
            random_state=derive(seed, "data", "hold-out") % 2**32,
        )
    except ValueError as error:
        raise refuse(
            option,
            expected="two records or more in each class, and one of each in both splits",
            got=f"{fraction:g} of {len(records)} records, {math.ceil(fraction * len(records))} to "
            f"test {len(counts)} classes, the smallest of {counts.min()}",
            remedy=f"Add records, change {option}, or give a test split of its own.",
        ) from error
    return records.take(np.sort(train)), records.take(np.sort(test))
