"""The classes of a table: one class for one word, however it is spelt; look-alikes are refused."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fdd_flower.data.base import refuse, shown
from fdd_flower.data.tables.numbers import Series
from fdd_flower.data.tables.text import is_number

FEW = 20  # different labels are classes, whatever they are


def joined(parts: Sequence[Sequence[str]]) -> dict[str, str]:
    """Return the name of the class of each label: of spellings of one number the shortest.

    >>> joined([["0", "1.0"], ["0.0"]])
    {'0': '0', '1.0': '1.0', '0.0': '0'}
    """
    names: dict[float | str, str] = {}
    for label in {label: None for part in parts for label in part}:
        key = class_key(label)
        names[key] = min(names.get(key, label), label, key=lambda name: (len(name), name))
    return {label: names[class_key(label)] for part in parts for label in part}


def class_key(label: str) -> float | str:
    """Return what two spellings of one class share: the number, or the text without blanks."""
    if is_number(label) and math.isfinite(float(label)):
        return float(label)
    return label.strip()


def look_alike(label: str) -> str:
    """Return what is left of a name without case, and without marks at its ends.

    >>> look_alike(" New_York. "), look_alike("<=50K.")
    ('new york', '<=50k')
    """
    plain = re.sub(r"[\s_-]+", " ", label.casefold()).strip(" .,;:'\"")
    return plain or label


def check_spelling(where: str, train: set[str], test: set[str]) -> None:
    """Refuse classes of which two are most likely one.

    Parameters
    ----------
    train, test
        The classes of each split.

    Raises
    ------
    DataError
        If a class of one split alone differs from another by case, blanks or marks only; or two
        of more than a letter do, wherever they are.
    """
    by_plain: dict[str, list[str]] = {}
    for name in sorted(train | test):
        by_plain.setdefault(look_alike(name), []).append(name)
    pairs = [
        names
        for plain, names in by_plain.items()
        if len(names) > 1
        and (len(plain) > 1 or (test and any((n in train) != (n in test) for n in names)))
    ]
    if pairs:
        found = ["/".join(map(repr, names)) for names in pairs]
        raise refuse(
            f"{where}: classes",
            expected="each spelt one way",
            got=shown(found),
            remedy="Write them alike in all rows of both splits.",
        )


def check_classes(path: Path, label: str, labels: Series) -> None:
    """Refuse labels that are quantities or ids.

    Raises
    ------
    DataError
        If many are different: numbers with decimals, or of which many rows have one of their own.
    """
    counts = labels.value_counts()
    numeric = all(is_number(name) for name in counts.index)
    decimals = numeric and any(float(name) % 1 for name in counts.index)
    alone = (counts == 1).mean() > 0.1
    if not (len(counts) > FEW and alone) and not (len(counts) > FEW // 2 and decimals):
        return
    kind = "numbers" if numeric else "words"
    raise refuse(
        f"{path}: data.label {label!r}",
        expected="a column of classes, each of many rows",
        got=f"{len(counts):,} different {kind} in {len(labels):,} rows, such as "
        f"{shown(map(str, counts.index), limit=3)}",
        remedy="Cut a quantity into classes (pandas.cut), or set data.label to another column.",
    )


def places(labels: Series, names: dict[str, str], classes: Sequence[str]) -> np.ndarray:
    """Return the place of each label's class in `classes`: int64, (n,)."""
    place = {name: i for i, name in enumerate(classes)}
    return labels.map({label: place[name] for label, name in names.items()}).to_numpy(np.int64)
