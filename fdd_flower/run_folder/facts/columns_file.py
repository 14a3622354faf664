"""Test records beside synthetic rows as `columns.json`: what two pictures are drawn from."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from fdd_flower.run_folder.facts._json import read_fact
from fdd_flower.training.metrics.likeness import MOST_COLUMNS, Likeness, Marginal

_LARGEST = 1e39  # above all that a float32 holds


def columns_bytes(found: Likeness) -> bytes:
    """Return the bytes of `columns.json`; an association that does not exist is null."""
    matrices = {name: _nulled(getattr(found, name)) for name in ("real", "synthetic")}
    return json.dumps(asdict(found) | matrices, allow_nan=False).encode() + b"\n"


def load_columns(path: Path) -> Likeness:
    """Read what `columns_bytes` returned.

    Raises
    ------
    DataError
        If the file is missing or broken.
    """
    return read_fact(
        path,
        _read,
        expected="marginals and associations of a table's columns, in JSON",
        remedy="The file was edited or truncated; remove it to have a report without it.",
    )


def _nulled(matrix: tuple[tuple[float, ...], ...]) -> list[list[float | None]]:
    return [[None if math.isnan(cell) else cell for cell in row] for row in matrix]


def _read(found: Any) -> Likeness:
    marginals = tuple(map(_marginal, found["marginals"][:MOST_COLUMNS]))
    return Likeness(
        marginals=marginals,
        real=_matrix(found["real"], len(marginals)),
        synthetic=_matrix(found["synthetic"], len(marginals)),
        columns=int(found["columns"]),
        records=int(found["records"]),
    )


def _marginal(found: Any) -> Marginal:
    edges, words = tuple(map(_number, found["edges"])), tuple(map(str, found["words"]))
    bins = len(words) if words else len(edges) - 1
    if bins < 1 or any(low >= high for low, high in pairwise(edges)):
        raise ValueError("bins without edges that ascend, or words")
    return Marginal(
        name=str(found["name"]),
        kind=str(found["kind"]),
        unit=str(found["unit"]),
        edges=edges,
        words=words,
        real=_shares(found["real"], bins + 1),
        synthetic=_shares(found["synthetic"], bins + 1),
        distance=_number(found["distance"]),
    )


def _matrix(found: Any, size: int) -> tuple[tuple[float, ...], ...]:
    if len(found) != size or any(len(row) != size for row in found):
        raise ValueError(f"associations that are not {size} x {size}")
    return tuple(
        tuple(math.nan if cell is None else _number(cell) for cell in row) for row in found
    )


def _shares(found: Any, count: int) -> tuple[float, ...]:
    shares = tuple(map(_number, found))
    if len(shares) != count or not all(0 <= share <= 1 + 1e-9 for share in shares):
        raise ValueError(f"shares that are not {count}, from 0 to 1")
    return shares


def _number(value: Any) -> float:
    number = float(value)
    if not abs(number) < _LARGEST:
        raise ValueError(f"{value} where a number was expected")
    return number
