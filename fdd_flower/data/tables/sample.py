"""A schema drafted from a sample, and what a person should look at before using it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fdd_flower.data.base import Records, refuse, shown
from fdd_flower.data.checks import check_classes
from fdd_flower.data.columns import require_names
from fdd_flower.data.tables.cells import cells_of
from fdd_flower.data.tables.classes import joined, places
from fdd_flower.data.tables.codes import are_codes
from fdd_flower.data.tables.constants import with_constants
from fdd_flower.data.tables.draft import draft_columns
from fdd_flower.data.tables.files import read_frame
from fdd_flower.data.tables.quantities import limited
from fdd_flower.schema import Schema
from fdd_flower.wording import many


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A schema, and what it was drafted from.

    Attributes
    ----------
    rows
        Of the sample.
    missing
        Share of the cells that are missing, by the name of a column.
    notes
        What to look at, by the name of a column.
    """

    schema: Schema
    rows: int
    missing: dict[str, float]
    notes: dict[str, str]


def draft_schema(path: Path, label: str, *, drop: Collection[str] = ()) -> Draft:
    """Return the schema of a table, its columns in the order of the file.

    The table is a sample that everybody may see the ranges and words of, or the server's own.

    Raises
    ------
    DataError
        If it cannot be read, has no such label, or a column that is not in `drop` is text.
    """
    if not path.exists():
        raise refuse(
            str(path), expected="a table that exists", got="none", remedy="Check the path."
        )
    frame = read_frame(path, text=label)
    require_names(str(path), [name for name in frame.columns if name not in drop])
    if label not in frame.columns or not len(frame):
        raise refuse(
            f"{path}: --label",
            expected=f"one of the columns {shown(map(str, frame.columns))}",
            got=f"{label!r}, and {many(len(frame), 'row')}",
            remedy="Name the column that holds the class with --label.",
        )
    unlabelled = int(np.count_nonzero(frame[label].isna()))
    frame = frame.dropna(subset=[label])
    names = joined([frame[label].tolist()])
    classes = tuple(sorted({*names.values()}))
    columns = draft_columns(str(path), frame.drop(columns=label), drop=drop)
    empty = frame.columns[np.asarray(frame.isna().all())].tolist()
    read = [column for column in columns if column.kind != "ignore"]
    cells = cells_of(str(path), frame, read)
    labels = places(frame[label], names, classes)
    about = check_classes(classes, Records(inputs=cells, labels=labels), None, label=label)
    if unlabelled:
        about = [
            *about,
            f"left out {many(unlabelled, 'row')} without a class; a run refuses them",
        ]
    fitted = {column.name: column for column in with_constants(read, cells)}
    schema = Schema.of_table(
        [fitted.get(column.name, column) for column in columns],
        classes=classes,
        label=label,
    )
    return Draft(
        schema=schema,
        rows=len(frame),
        missing={
            column.name: float(np.isnan(cells[:, at]).mean()) for at, column in enumerate(read)
        },
        notes=_notes(
            schema, [column.name for column in read], cells, empty, limited(frame, columns)
        )
        | ({label: "; ".join(about)} if about else {}),
    )


def _notes(
    schema: Schema,
    names: Sequence[str],
    cells: np.ndarray,
    empty: Collection[str],
    limits: Mapping[str, int],
) -> dict[str, str]:
    import pandas as pd

    found = {}
    for column in schema.columns:
        notes = ["no cell holds anything"] if column.name in empty else []
        values = cells[:, names.index(column.name)] if column.name in names else np.empty(0)
        held = values[~np.isnan(values)]
        if column.kind == "integer" and len(held) > 20 and len(np.unique(held)) == len(held):
            notes.append("every value once: if it is an id, drop it")
        if column.missing:
            notes.append(f"taken for missing: {shown(map(repr, column.missing))}")
        if column.low is not None and column.high is not None:
            beyond = int(((held < column.low) | (held > column.high)).sum())
            if beyond:
                notes.append(f"{beyond} far from all others: clipped")
        if column.kind == "category" and (held == len(column.levels)).any():
            notes.append(f"the {len(column.levels)} most common words; all others are one level")
        if column.kind == "category" and are_codes(pd.Series(column.levels, dtype=object)):
            notes.append("digits that begin with 0: codes, not numbers")
        if column.name in limits:
            notes.append(f"{limits[column.name]} limits such as <5 count as their number")
        if notes:
            found[column.name] = "; ".join(notes)
    return found
