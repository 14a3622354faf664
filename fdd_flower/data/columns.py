"""`data.columns`: which columns to use, or which not."""

from __future__ import annotations

from collections.abc import Iterable

from fdd_flower.data.base import refuse, shown


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

    That is an index that pandas wrote. On sorted data it gives the class away, in a recording it
    counts the moments.

    Raises
    ------
    DataError
        If there is one.
    """
    for column in columns:
        if column.startswith("Unnamed: "):
            raise refuse(
                f"{what}: {column!r}",
                expected="a name for every column",
                got="a column without one",
                remedy="Write the file with index=False, or name the column.",
            )
