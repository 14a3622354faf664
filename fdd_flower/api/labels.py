"""Labels as integers, names or a pandas Series: to class indices and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from torch import Tensor

from fdd_flower.data.base import refuse, shown
from fdd_flower.device import on_host
from fdd_flower.wording import many

MOST = 10_000  # classes: a stray identifier in y would have one for each record


def class_names(y: object) -> tuple[str, ...]:
    """Return the classes in `y`: whole numbers in their order, else names in the alphabet's.

    Raises
    ------
    DataError
        If `y` holds no labels, or more than 10,000 of them.
    """
    known = sorted(set(_keys(y)))
    if _whole(known):
        known.sort(key=int)
    if len(known) > MOST:
        raise refuse(
            "y",
            expected=f"at most {many(MOST, 'class')}",
            got=len(known),
            remedy="Pass the labels of the records, not their identifiers.",
        )
    return tuple(known)


def given_names(classes: Iterable[object]) -> tuple[str, ...]:
    """Return the names of `classes`, a user's list of them in the order of targets.

    Raises
    ------
    DataError
        If a class is named twice, or there is none.
    """
    names = tuple(_keys(list(classes)))
    if len(set(names)) < len(names):
        raise refuse(
            "classes",
            expected="each class once",
            got=shown(names),
            remedy="Name every class that y may hold, in the order of the targets.",
        )
    return names


def places_of(y: object, classes: Sequence[str]) -> np.ndarray:
    """Return the place of each label in `classes`: int64, (n,).

    A label is the name of a class; where no class is named by a number, whole numbers are places
    from 0.

    Raises
    ------
    DataError
        If `y` holds no labels, or one that is not in `classes`.
    """
    keys = _keys(y)
    place = {name: i for i, name in enumerate(classes)}
    if _whole(keys) and not _whole(classes):
        place = {str(i): i for i in range(len(classes))}
    unknown = sorted({key for key in keys if key not in place})
    if unknown:
        raise refuse(
            "y",
            expected=f"labels among {shown(classes)}",
            got=shown(map(repr, unknown)),
            remedy="Name all classes in classes=, or drop these records.",
        )
    return np.array([place[key] for key in keys], dtype=np.int64)


def names_of(places: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Return the class at each of `places`: int64 where all names are numbers, else text."""
    return np.array([int(name) for name in classes] if _whole(classes) else classes)[places]


def _whole(names: Sequence[str]) -> bool:
    """Tell whether every name is a whole number as Python writes it."""
    return all(name.removeprefix("-").isdecimal() and str(int(name)) == name for name in names)


def _keys(y: object) -> list[str]:
    """Return labels as text; 3, 3.0 and "3" are the same one."""
    found = np.asarray(on_host(y.detach()) if isinstance(y, Tensor) else y)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim != 1 or not len(found):
        raise refuse(
            "y",
            expected="a label for each record, (n,)",
            got=f"shape {found.shape}",
            remedy="Of one-hot or soft labels pass y.argmax(1).",
        )
    if found.dtype.kind == "f":
        if not np.array_equal(found, np.round(found)):  # NaN is not equal to itself
            raise refuse(
                "y",
                expected="classes",
                got="numbers that are not whole, or missing",
                remedy="Sort them into classes first (pandas.cut), and drop missing ones.",
            )
        found = found.astype(np.int64)
    if found.dtype.kind == "O":
        _refuse_missing(found)
    return [str(label) for label in found.tolist()]


def _refuse_missing(found: np.ndarray) -> None:
    import pandas as pd

    missing = np.flatnonzero(pd.isna(found))
    if len(missing):
        raise refuse(
            "y",
            expected="a label for each record",
            got=f"none for record {missing[0]}, counted from 0",
            remedy="Drop such records.",
        )
