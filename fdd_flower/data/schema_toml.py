"""A table's schema as TOML: what people read and edit, and what the plan carries to the clients."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import tomli_w

from fdd_flower.data.base import refuse
from fdd_flower.errors import DataError
from fdd_flower.schema import Column, Schema

_KEYS = {"label": str, "classes": list, "prior": list, "columns": dict}
_DAYS = ("low", "high", "fill", "centre")  # of a date column: dates in the file, days in memory
_EPOCH = date(1970, 1, 1)


def schema_text(schema: Schema) -> str:
    """Return a table's schema as TOML, a table a column; `read_schema_text` is the way back."""
    found: dict[str, Any] = {"label": schema.label, "classes": list(schema.classes)}
    if schema.prior:
        found["prior"] = list(schema.prior)
    found["columns"] = {column.name: _plain(column) for column in schema.columns}
    return tomli_w.dumps(found)


def read_schema_text(text: str, *, where: str = "schema") -> Schema:
    """Return the schema in a TOML text.

    Parameters
    ----------
    where
        What an error calls the text: the path of its file.

    Raises
    ------
    DataError
        If it is no TOML, lacks a part, has an unknown one, or a value that does not fit.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise refuse(
            where, expected="a schema in TOML", got=error, remedy="`fdd schema FILE` writes one."
        ) from error
    try:
        _check_keys(found)
        columns = [_column(name, facts) for name, facts in found["columns"].items()]
        return Schema.of_table(
            columns,
            classes=tuple(found["classes"]),
            label=found["label"],
            prior=tuple(map(float, found.get("prior", ()))),
        )
    except DataError as error:
        raise DataError(
            f"{where}: {error.what}",
            expected=error.expected,
            got=error.got,
            remedy=error.remedy,
        ) from error


def read_schema(path: str) -> Schema:
    """Return the schema in a TOML file.

    Raises
    ------
    DataError
        If it cannot be read, or is no table's schema.
    """
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise refuse(
            f"data.schema {path}",
            expected="a readable TOML file",
            got=error,
            remedy="Correct the path; `fdd schema FILE --out schema.toml` writes one.",
        ) from error
    return read_schema_text(text, where=str(path))


def to_days(value: date | datetime) -> float:
    """Return days since 1970-01-01; a time with a zone counts in UTC.

    >>> to_days(date(1970, 1, 2))
    1.0
    """
    if not isinstance(value, datetime):
        return float((value - _EPOCH).days)
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return (value - datetime(1970, 1, 1)) / timedelta(days=1)


def _plain(column: Column) -> dict[str, Any]:
    found = column.to_dict()
    del found["name"]
    if column.kind == "date":
        for key in _DAYS:
            if key in found:
                found[key] = _EPOCH + timedelta(days=round(found[key]))
    return found


def _column(name: str, facts: object) -> Column:
    if not isinstance(facts, Mapping) or "name" in facts:
        raise refuse(
            f"schema: column {name!r}",
            expected="a table: kind, levels and the like, without a name",
            got=repr(facts)[:80],
            remedy=f'Write [columns."{name}"] and under it kind = "number".',
        )
    found = {
        key: to_days(value) if isinstance(value, date) else value for key, value in facts.items()
    }
    return Column.from_dict({"name": name, **found})


def _check_keys(found: Mapping[str, Any]) -> None:
    absent = [key for key in _KEYS if key not in found and key != "prior"]
    unknown = [key for key in found if key not in _KEYS]
    if absent or unknown:
        raise refuse(
            "schema",
            expected="label, classes and columns, and perhaps prior",
            got=f"no {absent[0]}" if absent else f"an unknown {unknown[0]!r}",
            remedy="Keys that begin a line after [columns...] belong to that column.",
        )
    classes, prior = found["classes"], found.get("prior", [])
    wrong = [key for key in found if type(found[key]) is not _KEYS[key]]
    if not wrong and not all(isinstance(name, str) for name in classes):
        wrong = ["classes"]
    if not wrong and not all(type(share) in (int, float) for share in prior):
        wrong = ["prior"]
    if wrong:
        raise refuse(
            f"schema: {wrong[0]}",
            expected="a text as label, a list of texts as classes, of numbers as prior, a table of "
            "columns",
            got=repr(found[wrong[0]])[:80],
            remedy='Put the names of classes in quotes: classes = ["0", "1"].',
        )
