"""Labels as people write them: numbers from anywhere, text, columns of 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fdd_flower.data.base import refuse

MOST_CLASSES = 10_000  # more are identifiers, and no classes


def label_names(what: str, y: np.ndarray, *, alone: bool = False) -> list[str]:
    """Return the name of the class of each record: text as it is, numbers without a fraction.

    Parameters
    ----------
    what
        Names the labels in an error.
    y
        (n,) or (n, 1) of integers, whole floats, booleans or text; or (n, k) of 0 and 1 with one 1
        in each row, whose column is the class.
    alone
        Whether each label is read by itself: one that is no class is then "", and there may be
        none.

    Raises
    ------
    DataError
        If `y` is of another shape or type, is empty, or holds other numbers.
    """
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2 and len(y) and y.dtype.kind in "biuf":
        y = _columns(what, y, alone)
    if y.ndim != 1 or (len(y) == 0 and not alone) or y.dtype.kind not in "biufUS":
        raise refuse(
            what,
            expected="classes of shape (n,), n at least 1: integers or text",
            got=f"{y.dtype} {y.shape}",
            remedy="Save one class for each record.",
        )
    if y.dtype.kind == "U":
        return [name.strip() for name in y.tolist()]
    if y.dtype.kind == "S":
        return [name.decode("utf-8", errors="replace").strip() for name in y.tolist()]
    if alone and y.dtype.kind == "f":
        return [str(int(value)) if value.is_integer() else "" for value in y.tolist()]
    if y.dtype.kind == "f" and not (np.isfinite(y).all() and (y == np.round(y)).all()):
        place = int(np.argmax(~np.isfinite(y) | (y != np.round(y))))
        raise refuse(
            what,
            expected="classes: whole numbers or text",
            got=f"{y[place]:g} in record {place}, counted from 0",
            remedy="A quantity is no class: cut it into a few ranges first.",
        )
    return [str(int(value)) for value in y.tolist()]


def numbered_classes(what: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the different `names` in order: of numbers if all are, else of the alphabet.

    Raises
    ------
    DataError
        If there are more than 10,000.
    """
    known = set(names)
    if len(known) > MOST_CLASSES:
        raise refuse(
            what,
            expected=f"at most {MOST_CLASSES:,} classes",
            got=f"{len(known):,}",
            remedy="Check that the labels are classes, and not quantities or identifiers.",
        )
    numbers = all(name.removeprefix("-").isdecimal() for name in known)
    return tuple(sorted(known, key=int) if numbers else sorted(known))


def _columns(what: str, y: np.ndarray, alone: bool) -> np.ndarray:
    """Return the column of the 1 in each row of (n, k); `alone`, NaN where there is none."""
    if alone:
        single = np.isin(y, (0, 1)).all(axis=1) & (y.sum(axis=1) == 1)
        return np.where(single, y.argmax(axis=1), np.nan)
    if not (np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()):
        raise refuse(
            what,
            expected="one class for each record: of shape (n,), or one 1 in each row of 0 and 1",
            got=f"{y.dtype} {y.shape}, with rows of none or several",
            remedy="Choose one question of several, and save its answer as (n,).",
        )
    return y.argmax(axis=1)
