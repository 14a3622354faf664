"""A cell as a text, and a text as a number: by itself, whatever the other cells are."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

Series = Any  # of pandas, whose types do not know what its methods return
ALONE = "alone"  # of a frame's attrs: whether its cells are texts, to be read each by itself
_AFFIX = re.compile(r"^([+-]?)[€$£]\s*(?=[\d.+-])|(?<=\d)\s*[%€$£]$")
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
# 1,234 alone may be a thousand or one and a bit
_GROUPS = re.compile(
    r"[+-]?\d{1,3}((,\d{3})+\.\d+|(,\d{3}){2,}|([' \xa0\u202f]\d{3})+(\.\d+)?)", re.ASCII
)


def text_of(value: object) -> str | None:
    """Return a value of a typed column as a text; None where nothing is there.

    >>> text_of(1.0), text_of(0.1), text_of(" a "), text_of(float("nan"))
    ('1', '0.1', 'a', None)
    """
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() else repr(value)
    return None if value is None else str(value).strip() or None


def number(cell: str) -> float | None:
    """Return the number that a cell says in a way that can be read in one way only; else None.

    Understood are a point before decimals, a percent sign or a currency, and groups of thousands
    where they cannot be decimals.

    >>> [number(cell) for cell in ("1.5", "1,234.5", "1 234", "5 %", "1,234", "1,5", "nan")]
    [1.5, 1234.5, 1234.0, 5.0, None, None, None]
    """
    plain = _AFFIX.sub(r"\1", cell.strip())
    if _GROUPS.fullmatch(plain):
        plain = re.sub(r"[,' \xa0\u202f]", "", plain)
    return float(plain) if _PLAIN.fullmatch(plain) else None


def read_each(read: Callable[[str], float | None], values: Series) -> np.ndarray:
    """Return what `read` makes of each text, float64 (n,): infinite where nothing, NaN of None."""
    import pandas as pd

    codes, different = pd.factorize(values.astype(object))
    made = [np.inf if (found := read(text)) is None else found for text in different]
    return np.array([*made, np.nan], dtype=np.float64)[codes]
