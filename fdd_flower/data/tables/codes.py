"""Codes of digits, such as postcodes: words, whose leading zeros count."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fdd_flower.data.tables.numbers import Series, is_text, words

if TYPE_CHECKING:
    import pandas as pd

_ZERO = re.compile(r"(?<![\d.,:/+-])0\d")  # where a cell may begin with a zero


def are_codes(values: Series) -> bool:
    """Tell whether cells are digits alone, of which some begin with a zero.

    >>> import pandas as pd
    >>> are_codes(pd.Series(["01067", "10115", None])), are_codes(pd.Series(["0", "10"]))
    (True, False)
    """
    if not is_text(values):
        return False
    cells = words(values).dropna().astype(str)
    return bool(cells.str.fullmatch(r"0\d+").any() and cells.str.fullmatch(r"\d+").all())


def may_hold_codes(text: str) -> bool:
    """Tell, at little cost, whether a table's text may have a column of codes."""
    return _ZERO.search(text) is not None


def with_codes(frame: pd.DataFrame, text: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with its columns of codes as words.

    Parameters
    ----------
    text
        The same table, its cells as they are written.
    """
    found = {
        name: text[name]
        for name in frame.columns
        if not is_text(frame[name]) and are_codes(text[name])
    }
    return frame.assign(**found) if found else frame
