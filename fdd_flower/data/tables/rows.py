"""Rows of frames, whatever they were read from, as the records of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fdd_flower.config import DataConfig
from fdd_flower.data.alone.cells import ALONE
from fdd_flower.data.base import Records, Source, refuse, shown
from fdd_flower.data.columns import chosen_columns, require_names
from fdd_flower.data.groups import column_of_groups, grouped
from fdd_flower.data.subjects import (
    names_of_column,
    numbered,
    numbered_subjects,
    tests_only,
)
from fdd_flower.data.tables.cells import cells_of
from fdd_flower.data.tables.classes import class_key, joined, places
from fdd_flower.data.tables.draft import draft_columns
from fdd_flower.data.tables.files import headless
from fdd_flower.data.tables.numbers import Series, words
from fdd_flower.data.tables.quantities import limited
from fdd_flower.schema import Column, Schema
from fdd_flower.wording import many

if TYPE_CHECKING:
    import pandas as pd


def rows_source(
    names: Sequence[str], frames: Sequence[pd.DataFrame], cfg: DataConfig, schema: Schema | None
) -> Source:
    """Return rows as cells: float64 (n, number of columns), in the order of the schema.

    Parameters
    ----------
    names
        What an error calls each frame.
    frames
        Rows to train on and, if there are any, those to test on; the column of the label as text.
    schema
        What the columns are. None: it is drafted from the rows, columns sorted by name.

    Raises
    ------
    DataError
        If a column is missing, a label is not one of the schema's classes, or a cell is not of its
        column's kind.
    """
    label = cfg.label if schema is None else schema.label
    alone = bool(frames[0].attrs.get(ALONE))
    for name, frame in zip(names, frames, strict=True):
        _check_columns(name, frame, label)
        if not alone:
            _check_filled(name, frame, label)
    groups = [
        None if alone else column_of_groups(name, frame, cfg.column, label)
        for name, frame in zip(names, frames, strict=True)
    ]
    subjects = _subjects(names[0], frames[0], cfg)
    columns = _columns(names, frames, cfg, label) if schema is None else schema.columns
    left_out = [column.name for column in columns if column.kind == "ignore"]
    columns = tuple(column for column in columns if column.kind != "ignore")
    if not columns:
        raise refuse(
            names[0],
            expected="a column beside the label that holds something",
            got=f"nothing in {shown(map(repr, left_out))}",
            remedy="Check how the file was written.",
        )
    labels = [frame[label].fillna("") if alone else frame[label] for frame in frames]
    classes_of, classes = _classes(names[0], label, labels, schema, alone)
    parts = [
        Records(
            inputs=cells_of(name, frame, columns),
            labels=places(own, classes_of, classes),
            subjects=None if place else subjects,
        )
        for place, (name, frame, own) in enumerate(zip(names, frames, labels, strict=True))
    ]
    found = Source(
        train=parts[0],
        test=parts[1] if len(parts) > 1 else None,
        classes=classes,
        columns=columns,
        in_cells=True,
        notes=(
            *((f"columns left out: {shown(left_out)}",) if left_out else ()),
            *_said_of_limits(frames[0], columns),
        ),
        label=label,
        prior=() if schema is None else schema.prior,
    )
    return found if groups[0] is None else grouped(found, groups[0], *groups[1:])


def _said_of_limits(frame: pd.DataFrame, columns: Sequence[Column]) -> tuple[str, ...]:
    found = [f"{name} ({count})" for name, count in limited(frame, columns).items()]
    return (f"limits such as <5 count as their number: {shown(found)}",) if found else ()


def _columns(
    names: Sequence[str], frames: Sequence[pd.DataFrame], cfg: DataConfig, label: str
) -> tuple[Column, ...]:
    """Return the columns as the rows have them, those of both splits."""
    import pandas as pd

    beside = {label, cfg.subject, cfg.column}
    used = set(chosen_columns(names[0], cfg.columns, frames[0].columns, beside))
    ignored = set(frames[0].columns) - used
    kept = [frame.drop(columns=[*(ignored | beside) & {*frame.columns}]) for frame in frames]
    if len(kept) > 1 and {*kept[0].columns} != {*kept[1].columns}:
        raise refuse(
            names[1],
            expected=f"the columns of {names[0]}",
            got="different columns: " + shown(sorted({*kept[0].columns} ^ {*kept[1].columns})),
            remedy="Write both files with the same columns.",
        )
    rows = pd.concat(kept, ignore_index=True).sort_index(axis=1)
    rows.attrs = kept[0].attrs
    nested = [
        c for c in rows.columns if isinstance(_first(rows[c]), dict | list | tuple | np.ndarray)
    ]
    if nested:
        raise refuse(
            f"{names[0]}: column {nested[0]!r}",
            expected="one value in a cell",
            got=f"several, a {type(_first(rows[nested[0]])).__name__}",
            remedy=f"Leave it out, data.columns=-{nested[0]}; or give each value its own column.",
        )
    return draft_columns(names[0], rows)


def _classes(
    what: str,
    label: str,
    labels: Sequence[Series],
    schema: Schema | None,
    alone: bool,
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the class of each label, and all classes in order; `alone`, then what is none."""
    names = joined([part.tolist() for part in labels])
    if schema is None:
        return names, tuple(sorted({*names.values()}))
    known = {class_key(name): name for name in schema.classes}
    unknown = sorted(name for name in names if class_key(name) not in known)
    if unknown and not alone:
        raise refuse(
            f"{what}: column {label!r}",
            expected=f"one of the schema's classes, {shown(schema.classes)}",
            got=shown(map(repr, unknown)),
            remedy="Rename or remove these records, or let the schema name the class.",
        )
    found = {name: known.get(class_key(name), name) for name in names}
    return found, (*schema.classes, *unknown)


def _subjects(what: str, frame: pd.DataFrame, cfg: DataConfig) -> np.ndarray | None:
    """Return whose each record is, as numbers."""
    absent = cfg.subject not in frame.columns
    if not cfg.subject or (absent and tests_only(cfg)):
        return None
    others = [name for name in frame.columns if name != cfg.label]
    if cfg.subject not in others or len(others) < 2:
        raise refuse(
            f"{what}: data.subject",
            expected=f"a column beside the label and the features, of {shown(others)}",
            got=repr(cfg.subject),
            remedy="Set data.subject to the column that says whose a record is.",
        )
    if frame.attrs.get(ALONE):
        return numbered_subjects(words(frame[cfg.subject]))
    return numbered(names_of_column(what, frame, cfg.subject))


def _check_columns(what: str, frame: pd.DataFrame, label: str) -> None:
    columns = list(frame.columns)
    require_names(what, columns)
    if label not in columns:
        raise refuse(
            f"{what}: data.label",
            expected=f"one of the columns {shown(columns)}",
            got=repr(label),
            remedy="Set data.label to the column that holds the class."
            if not headless(columns)
            else "The first line looks like a record: write the columns' names above it.",
        )
    if len(columns) < 2 or (len(frame) == 0 and not frame.attrs.get(ALONE)):
        raise refuse(
            what,
            expected="at least one row, and one column beside the label",
            got=f"{many(len(frame), 'row')} and {many(len(columns), 'column')}",
            remedy="Check how the file was written.",
        )


def _check_filled(what: str, frame: pd.DataFrame, label: str) -> None:
    missing = np.flatnonzero(frame[label].isna())
    if len(missing):
        raise refuse(
            f"{what}: column {label!r}",
            expected="a class in every row",
            got=f"nothing in row {missing[0] + 1}, counted from 1 below the header",
            remedy="Fill in or drop such rows.",
        )


def _first(values: Series) -> object:
    place = values.first_valid_index()
    return None if place is None else values.loc[place]
