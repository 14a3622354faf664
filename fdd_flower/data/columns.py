"""`data.columns`: which columns to use, or which not."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fdd_flower.data.base import refuse, shown

_UNNAMED = re.compile(r"Unnamed: (\d+)")  # what pandas calls a column without a name


def chosen_columns(what: str, names: str, known: Iterable[str], beside: set[str]) -> list[str]:
    """Return the features among the columns `known`, in their order.

    Parameters
    ----------
    what
        The data, for an error.
    names
        Separated by commas: those to use, or with a dash before each those not to; empty: all.
    beside
        Columns that are no features: the label, the subject, the group.

    Raises
    ------
    DataError
        If a name is no column, or none is left.
    """
    known = list(known)
    named = [name.strip() for name in names.split(",") if name.strip()]
    without = bool(named) and all(name[0] == "-" and name not in known for name in named)
    named = [name[1:].strip() for name in named] if without else named
    absent = [name for name in named if name not in known]
    if absent:
        raise _wrong(what, f"columns among {shown(known)}", shown(absent))
    wanted = set(known) - set(named) if without or not named else set(named)
    found = [name for name in known if name in wanted - beside]
    if not found:
        raise _wrong(what, "a column beside the label, the subject and the group", shown(named))
    return found


def _wrong(what: str, expected: str, got: str) -> Exception:
    return refuse(
        f"{what}: data.columns",
        expected=expected,
        got=got or "none",
        remedy="Name columns as the data does, separated by commas; -name leaves one out.",
    )


def require_names(what: str, columns: Iterable[str]) -> None:
    """Refuse a table with a column that has no name.

    That is an index that pandas wrote, or one of the lines of a header in several lines. An index
    gives the class away on sorted data, and counts the moments of a recording.

    Raises
    ------
    DataError
        If there is one.
    """
    unnamed = [found for column in columns if (found := _UNNAMED.match(column))]
    if unnamed:
        places = [int(found[1]) + 1 for found in unnamed]
        where = f"{shown(map(str, places))} ({unnamed[0].string!r} in pandas)"
        raise refuse(
            what,
            expected="a name for every column in the first line",
            got=f"an empty one for column {where}",
            remedy="Write the file with index=False, or name the column."
            if places == [1]
            else "Name each column, in one line: a header of two lines or of merged cells goes "
            "into one.",
        )
