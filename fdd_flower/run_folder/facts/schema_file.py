"""A schema as `schema.json`: what others need to bring data to the model of a run."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fdd_flower.run_folder.facts._json import read_fact
from fdd_flower.schema import Column, Normalisation, Schema


def schema_bytes(schema: Schema) -> bytes:
    """Return the bytes of `schema.json`."""
    found = asdict(schema) | {"columns": [column.to_dict() for column in schema.columns]}
    return json.dumps(found, indent=2).encode() + b"\n"


def load_schema(path: Path) -> Schema:
    """Read what `schema_bytes` returned.

    Raises
    ------
    DataError
        If the file is missing or broken.
    """
    return read_fact(
        path,
        _read,
        expected="the classes, shape, normalisation and columns of a run's records, in JSON",
        remedy="Pass the folder of a run that ended.",
    )


def _read(found: Any) -> Schema:
    scale = found["normalisation"]
    return Schema(
        classes=tuple(map(str, found["classes"])),
        feature_shape=tuple(map(int, found["feature_shape"])),
        normalisation=Normalisation(
            mean=tuple(map(float, scale["mean"])), std=tuple(map(float, scale["std"]))
        ),
        columns=tuple(map(Column.from_dict, found["columns"])),
        label=str(found.get("label", "")),
        prior=tuple(map(float, found.get("prior", ()))),
        channels=tuple(map(str, found.get("channels", ()))),
        rate=float(found.get("rate", 0)),
    )
