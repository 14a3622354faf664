"""Whose records they are: `data.subject` names the column or array that tells."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from inspect import signature
from typing import TYPE_CHECKING

import numpy as np

from fdd_flower.config import DataConfig
from fdd_flower.data.base import SOURCES, Agreed, Source, refuse
from fdd_flower.schema import Schema

if TYPE_CHECKING:
    import pandas as pd


# Published data sets, of files that have one form: each record is read alone in any case.
FIXED = frozenset({"breast-cancer", "cifar10", "digits", "fashion-mnist", "mnist", "wine"})


def read_source(
    cfg: DataConfig, schema: Schema | None = None, *, agreed: Agreed | None = None
) -> Source:
    """Return what the source of `cfg` reads, with subjects if `cfg.subject` asks for them.

    Parameters
    ----------
    schema
        Of the tables that it reads; None: they say themselves what their columns are.
    agreed
        What each record is to be read by, alone; None: by all that is there.

    Raises
    ------
    DataError
        If it cannot be read, such data has no subjects, or does not keep to the schema; or its
        source cannot read each record alone.
    """
    reader = SOURCES.get(cfg.name)
    known = signature(reader).parameters
    options: dict[str, object] = {}
    if agreed is not None and cfg.name not in FIXED:
        if "agreed" not in known:
            raise refuse(
                "data.name",
                expected="a source that reads each record alone, with privacy.mode",
                got=repr(cfg.name),
                remedy="Save the records as a folder of images, npz, a table or series; or let "
                "the source take `agreed`.",
            )
        options["agreed"] = agreed
    if schema is not None and "schema" not in known:
        raise refuse(
            "data.schema",
            expected=f"nothing for data.name={cfg.name}: its records are no tables",
            got=repr(cfg.schema),
            remedy="Leave it empty.",
        )
    if schema is not None:
        options["schema"] = schema
    source = _composed(reader(cfg, **options))
    if cfg.subject and source.train.subjects is None and not tests_only(cfg):
        raise refuse(
            "data.subject",
            expected=f"nothing for data.name={cfg.name}, which does not say whose a record is",
            got=repr(cfg.subject),
            remedy="Save the records as npz, or as a table, with the subject beside each.",
        )
    return source


def _composed(source: Source) -> Source:
    """Return `source` with one class for one name, however its accents are stored.

    macOS stores the accents of a file's name apart from their letters, other systems do not.
    """
    names = [unicodedata.normalize("NFC", name) for name in source.classes]
    if names == list(source.classes):
        return source
    classes = tuple(dict.fromkeys(names))
    place = np.array([classes.index(name) for name in names])
    train, test = (
        None if part is None else replace(part, labels=place[part.labels])
        for part in (source.train, source.test)
    )
    assert train is not None
    return replace(source, train=train, test=test, classes=classes)


def tests_only(cfg: DataConfig) -> bool:
    """Tell whether all records are to test on: those of a server need no subject."""
    return cfg.test_fraction == 1


def names_of_column(
    what: str, frame: pd.DataFrame, column: str, *, expected: str = "a subject"
) -> list[object]:
    """Return the cells of the column of a table that says whose each record is.

    Parameters
    ----------
    what
        The table, for an error.
    expected
        What each row should have, for an error.

    Raises
    ------
    DataError
        If a row has none.
    """
    names: pd.Series = frame[column]  # pyright: ignore[reportAssignmentType]
    missing = np.flatnonzero(names.isna())
    if len(missing):
        raise refuse(
            f"{what}: column {column!r}",
            expected=f"{expected} in every row",
            got=f"nothing in row {missing[0] + 1}, counted from 1 below the header",
            remedy="Fill in or drop such rows.",
        )
    return names.tolist()


def names_of_array(
    what: str, found: np.ndarray, count: int, *, expected: str = "a subject"
) -> list[object]:
    """Return the values of the array of an archive that says whose each record is.

    Parameters
    ----------
    what
        The archive and the array, for an error.
    expected
        What each record should have, for an error.

    Raises
    ------
    DataError
        If it does not hold an integer or a text for each of `count` records.
    """
    if found.shape != (count,) or found.dtype.kind not in "iuU":
        raise refuse(
            what,
            expected=f"integers or text of shape ({count},), one for each record",
            got=f"{found.dtype} {found.shape}",
            remedy=f"Save a number or a name of {expected} for each record.",
        )
    return found.tolist()


def numbered_subjects(names: Iterable[object]) -> np.ndarray:
    """Return a number for each subject, int64 (n,), as `numbered`; -1 where the name is blank.

    >>> numbered_subjects(["b", "a", " ", None, float("nan")]).tolist()
    [1, 0, -1, -1, -1]
    """
    known = ["" if name is None or name != name else str(name).strip() for name in names]
    found = numbered(known)
    blank = np.array([not name for name in known], dtype=bool)
    return np.where(blank, -1, found - blank.any()).astype(np.int64)


def numbered(names: Iterable[object]) -> np.ndarray:
    """Return a number for each subject, int64 (n,): equal where names are, but for blanks around.

    >>> numbered(["b", "a", "b "]).tolist()
    [1, 0, 1]
    """
    texts = [str(name).strip() for name in names]
    # an array of text has room for the longest in each row
    places = {text: place for place, text in enumerate(sorted({*texts}))}
    return np.array([places[text] for text in texts], dtype=np.int64)
