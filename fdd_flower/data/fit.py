"""What a data set without published splits or constants is given: both."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fdd_flower.data.base import Records, refuse
from fdd_flower.data.large import mean_and_std
from fdd_flower.rng import derive
from fdd_flower.schema import Normalisation

# Below this a feature is constant, and dividing by its spread would only raise noise.
STD_FLOOR = 1e-6
DRAWS = 100  # of recordings to hold out: the one that splits the classes most evenly counts


def fit_normalisation(records: Records) -> Normalisation:
    """Return mean and standard deviation per channel, or a feature, of `records`.

    uint8 is measured on the [0, 1] scale; a spread below `STD_FLOOR` counts as 1.
    """
    x = records.inputs
    scale = 255 if x.dtype == np.uint8 else 1
    mean, std = (found / scale for found in mean_and_std(x))
    std[std < STD_FLOOR] = 1
    return Normalisation(mean=tuple(mean.tolist()), std=tuple(std.tolist()))


def hold_out(
    records: Records,
    fraction: float,
    *,
    seed: int,
    option: str = "data.test-fraction",
    classes: Sequence[str] = (),
) -> tuple[Records, Records]:
    """Return training and test records, `fraction` of every class in the test's.

    Records with `recordings` are split by these, and classes as evenly as that allows. A fraction
    of 1 leaves no training records: a server that only tests. `option` is the setting that asked
    for it, `classes` what an error calls them.

    Raises
    ------
    DataError
        If a class is too small to be in both, or there is but one recording.
    """
    from sklearn.model_selection import train_test_split

    everything = np.arange(len(records))
    if fraction == 1:
        return records.take(everything[:0]), records
    if records.recordings is not None:
        return _hold_recordings_out(records, records.recordings, fraction, seed, option)
    held, counts = np.unique(records.labels, return_counts=True)
    try:
        train, test = train_test_split(
            everything,
            test_size=fraction,
            stratify=records.labels,
            random_state=derive(seed, "data", "hold-out") % 2**32,
        )
    except ValueError as error:
        name = f", {classes[held[counts.argmin()]]!r}," if classes else ""
        raise refuse(
            option,
            expected="two records or more in each class, and one of each in both splits",
            got=f"{fraction:g} of {len(records)} records, {math.ceil(fraction * len(records))} to "
            f"test {len(counts)} classes, the smallest{name} of {counts.min()}",
            remedy=f"Add records, change {option}, or give a test split of its own."
            if counts.min() > 1
            else "Remove that record if its class is a slip, such as a total at the end of a file; "
            "otherwise add records of the class, or give a test split of its own.",
        ) from error
    return records.take(np.sort(train)), records.take(np.sort(test))


def _hold_recordings_out(
    records: Records, recordings: np.ndarray, fraction: float, seed: int, option: str
) -> tuple[Records, Records]:
    from sklearn.model_selection import GroupShuffleSplit

    if (count := len(np.unique(recordings))) < 2:
        raise refuse(
            option,
            expected="records of two recordings or subjects or more",
            got=count,
            remedy="Add recordings, or give a test split of its own.",
        )
    draws = GroupShuffleSplit(
        DRAWS, test_size=fraction, random_state=derive(seed, "data", "hold-out") % 2**32
    )
    counts = np.bincount(records.labels)
    counts = counts[counts > 0]
    places = np.unique(records.labels, return_inverse=True)[1]

    def uneven(draw: tuple[np.ndarray, np.ndarray]) -> float:
        test = np.bincount(places[draw[1]], minlength=len(counts)) / counts
        return float(abs(test - fraction).sum() + (test == 1).sum())  # worst: nothing to learn from

    train, test = min(draws.split(records.labels, groups=recordings), key=uneven)
    return records.take(np.sort(train)), records.take(np.sort(test))
