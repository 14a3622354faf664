"""The classes of a table: one class for one number or word, whatever blanks are around it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fdd_flower.data.tables.numbers import Series
from fdd_flower.data.tables.text import is_number


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


def places(labels: Series, names: dict[str, str], classes: Sequence[str]) -> np.ndarray:
    """Return the place of each label's class in `classes`: int64, (n,)."""
    place = {name: i for i, name in enumerate(classes)}
    found = labels.map({label: place[name] for label, name in names.items()})
    return np.array(found, dtype=np.int64)
