"""Which hospital, person or device a record is of: `partition.column` names where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fdd_flower.config import DataConfig, PartitionConfig
from fdd_flower.data.base import Dataset, Records, Source, refuse, shown
from fdd_flower.data.checks import spelling
from fdd_flower.data.subjects import names_of_array, names_of_column, tests_only
from fdd_flower.wording import many

if TYPE_CHECKING:
    import pandas as pd


def grouped(
    source: Source, train: Iterable[object] | None, test: Iterable[object] | None = None
) -> Source:
    """Return `source` with the group of each record, numbered over both splits.

    Names are equal where their text is, but for blanks around. They are sorted, as numbers where
    all are.

    Parameters
    ----------
    train, test
        A name for each record of the split; None: not known.
    """
    texts = [
        None if names is None else [str(name).strip() for name in names] for names in (train, test)
    ]
    names = sorted({name for part in texts if part is not None for name in part})
    if all(name.isdecimal() for name in names):
        names.sort(key=int)
    place = {name: i for i, name in enumerate(names)}
    numbers = [
        None if part is None else np.array([place[name] for name in part], dtype=np.int64)
        for part in texts
    ]
    return replace(
        source,
        train=replace(source.train, groups=numbers[0]),
        test=None if source.test is None else replace(source.test, groups=numbers[1]),
        group_names=tuple(names),
    )


def column_of_groups(
    what: str, frame: pd.DataFrame, column: str, label: str
) -> list[object] | None:
    """Return the column of a table that says which group a record is of; None if it has no such.

    Parameters
    ----------
    what
        The table, for an error.

    Raises
    ------
    DataError
        If it is the label, no other column is left, or a row has no group.
    """
    if not column or column not in frame.columns:
        return None
    if column == label or len(frame.columns) < 3:
        raise refuse(
            f"{what}: partition.column",
            expected="a column beside the label and the features",
            got=f"{column!r}, of {shown(frame.columns)}",
            remedy="Name another column; to split by class, set partition.name=classes.",
        )
    return names_of_column(what, frame, column, expected="a group")


def array_of_groups(
    what: str, arrays: Mapping[str, np.ndarray], name: str, count: int
) -> list[object] | None:
    """Return the array of an archive that says which group a record is of; None: it has no such.

    Parameters
    ----------
    what
        The archive, for an error.

    Raises
    ------
    DataError
        If it does not hold an integer or a text for each of `count` records.
    """
    if not name or name not in arrays:
        return None
    return names_of_array(f"{what}: {name}", arrays[name], count, expected="a group")


def check_groups(cfg: DataConfig, source: Source) -> None:
    """Refuse a `partition.column` that the data does not have.

    Raises
    ------
    DataError
        If the training records have no groups though `cfg.column` asks for them.
    """
    if not cfg.column or source.train.groups is not None or tests_only(cfg):
        return
    beside = f", among {shown(column.name for column in source.columns)}" if source.columns else ""
    raise refuse(
        "partition.column",
        expected="the name of the column, or of the array of an npz, with the group of each record",
        got=f"{cfg.column!r}{beside}",
        remedy="Correct the name, or leave it empty and let partition.name split the records.",
    )


def alike_groups(source: Source) -> list[str]:
    """Return which groups differ by no more than case, blanks or punctuation, a line each."""
    alike: dict[object, list[str]] = {}
    for name in source.group_names:
        alike.setdefault(spelling(name), []).append(repr(name))
    same = [names for names in alike.values() if len(names) > 1]
    return [f"spelt alike, kept as groups apart: {shown(names, limit=5)}" for names in same]


def held_out_groups(cfg: DataConfig, source: Source) -> tuple[Records, Records]:
    """Return training and test records: those of `cfg.test_groups` are the test's.

    Raises
    ------
    DataError
        If the data has a test split of its own, no groups, not all that are named, or no others.
    """
    names = [name.strip() for name in cfg.test_groups.split(",") if name.strip()]
    if source.test is not None:
        raise refuse(
            "data.test-groups",
            expected="nothing for data with a test split of its own",
            got=repr(cfg.test_groups),
            remedy="Leave it empty, or save all records in one file.",
        )
    groups, known = source.train.groups, source.group_names
    unknown = [name for name in names if name not in known]
    if groups is None or unknown or not 0 < len(set(names)) < len(known):
        raise refuse(
            "data.test-groups",
            expected=f"some but not all of the groups {shown(known)}"
            if known
            else "partition.column with it, which says what group a record is of",
            got=shown(unknown or names) or repr(cfg.test_groups),
            remedy="Name groups as they stand in the data, separated by commas.",
        )
    tested = np.isin(groups, [known.index(name) for name in names])
    return source.train.take(np.flatnonzero(~tested)), source.train.take(np.flatnonzero(tested))


def natural_groups(dataset: Dataset, cfg: PartitionConfig, *, clients: int = 0) -> np.ndarray:
    """Return the groups that are clients, in the order of their names; int64.

    Those with training records and `cfg.min_records` in all.

    Parameters
    ----------
    clients
        The largest so many of them; 0: all.

    Raises
    ------
    DataError
        If there are fewer, or the records have no groups.
    """
    groups, names = dataset.train.groups, dataset.group_names
    if groups is None:
        raise refuse(
            "partition.name=column",
            expected="partition.column with it, which says what group a record is of",
            got="none",
            remedy="Set it to the column of a table, or to the array of an npz.",
        )
    trained = np.bincount(groups, minlength=len(names))
    tested = dataset.test.groups
    sizes = trained + (0 if tested is None else np.bincount(tested, minlength=len(names)))
    fit = np.flatnonzero((trained > 0) & (sizes >= cfg.min_records))
    if len(fit) < max(1, clients):
        least = f" with {many(cfg.min_records, 'record')} or more" if cfg.min_records > 1 else ""
        raise refuse(
            "number of clients",
            expected=f"from 1 to {len(fit)}, the groups of {cfg.column!r}{least}",
            got=clients or "none",
            remedy="Leave --clients out: it follows the groups."
            if len(fit)
            else "Lower partition.min-records.",
        )
    largest = np.argsort(-trained[fit], kind="stable")[: clients or None]
    return np.sort(fit[largest])
