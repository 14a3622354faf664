"""How a run's model answers as `evaluation.json`: what the pictures of a report are drawn from."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fdd_flower.run_folder.facts._json import read_fact
from fdd_flower.training.metrics import Answers, Curve, Reliability


def evaluation_bytes(found: Answers) -> bytes:
    """Return the bytes of `evaluation.json`."""
    return json.dumps(asdict(found), allow_nan=False).encode() + b"\n"


def load_evaluation(path: Path) -> Answers:
    """Read what `evaluation_bytes` returned.

    Raises
    ------
    DataError
        If the file is missing or broken.
    """
    return read_fact(
        path,
        _read,
        expected="the confusion, curves and reliability of a run's model, in JSON",
        remedy="The file was edited or truncated; remove it to have a report without it.",
    )


def _read(found: Any) -> Answers:
    table = tuple(tuple(_count(cell) for cell in row) for row in found["confusion"])
    if not table or any(len(row) != len(table) for row in table):
        raise ValueError("confusion that is no square")
    bins = found["reliability"]
    curves = tuple(
        Curve(
            label=_class(curve["label"], table),
            auroc=_share(curve["auroc"]),
            average_precision=_share(curve["average_precision"]),
            roc=_points(*curve["roc"]),
            precision=_points(*curve["precision"]),
        )
        for curve in found["curves"]
    )
    probability, share = _points(bins["probability"], bins["share"])
    records = tuple(map(_count, bins["records"]))
    if len(records) != len(share):
        raise ValueError("bins of different lengths")
    return Answers(
        positive=_class(found["positive"], table),
        confusion=table,
        reliability=Reliability(probability=probability, share=share, records=records),
        curves=curves,
    )


def _points(x: list[Any], y: list[Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    points = tuple(map(_share, x)), tuple(map(_share, y))
    if len(points[0]) != len(points[1]):
        raise ValueError("points of different lengths")
    return points


def _share(value: Any) -> float:
    share = float(value)
    if not 0 <= share <= 1 + 1e-9:
        raise ValueError(f"{share} where a share was expected")
    return share


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < math.inf:
        raise ValueError(f"{str(value)[:20]} where a count was expected")
    return value


def _class(value: Any, table: tuple[tuple[int, ...], ...]) -> int:
    if _count(value) >= len(table):
        raise ValueError(f"class {value} of {len(table)}")
    return int(value)
