"""From one set to its rows: every evaluation model trained on it and measured."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from fdd_flower.bench.distil import estimators
from fdd_flower.bench.distil.message import Made
from fdd_flower.bench.distil.recipe import Recipe, hardened, is_hard
from fdd_flower.bench.distil.sets import quality_of, resolution_of
from fdd_flower.bench.rows import Row
from fdd_flower.errors import FddError
from fdd_flower.report.headline import NAMES
from fdd_flower.report.units import human_bytes, human_number, human_seconds
from fdd_flower.synthetic_set import SyntheticSet


def empty_row(distiller: str, ipc: int, seed: int, kind: str, *, codec: str = "") -> Row:
    """Return a row of which nothing is measured yet; its `model` is empty."""
    return Row(
        distiller=distiller,
        model="",
        ipc=ipc,
        seed=seed,
        accuracy=None,
        seconds=None,
        peak_mb=None,
        bytes=None,
        kind=kind,
        codec=codec,
    )


def with_costs(start: Row, made: Made) -> Row:
    """Return `start` with what the set `made` cost."""
    return replace(
        start,
        seconds=made.seconds,
        peak_mb=made.peak_mb,
        bytes=made.bytes,
        codec=made.codec.name,
        quality=quality_of(made),
        resolution=resolution_of(made),
        digest=made.digest,
    )


def measured(
    start: Row, part: SyntheticSet, recipe: Recipe, *, models: Sequence[str], hard: bool
) -> Iterator[Row]:
    """Yield a row for each of `models` trained on `part`; one that fails says why.

    Parameters
    ----------
    start
        The row without its model.
    hard
        Measure soft labels a second time as hard ones, for HLR.
    """
    for name in models:
        started = time.perf_counter()
        row = replace(start, model=name, records=len(part))
        try:
            found = recipe.measured(name, part, seed=start.seed)
            accuracy = found["accuracy"]
            only = accuracy if name in estimators.NAMES or is_hard(part) else None
            if hard and only is None:
                only = recipe.accuracy(name, hardened(part), seed=start.seed)
            metrics = {one: value for one, value in found.items() if math.isfinite(value)}
            row = replace(
                row,
                accuracy=accuracy,
                accuracy_hard=only,
                metric=recipe.headline.metric,
                metrics=metrics,
            )
        except FddError as error:
            row = replace(row, error=one_line(error))
        yield replace(row, seconds_train=time.perf_counter() - started)


def result_of(row: Row) -> dict[str, Any]:
    """Return what was measured of `row`, for another row of the same set."""
    names = ("model", "accuracy", "accuracy_hard", "records", "seconds_train", "metric", "metrics")
    return {name: getattr(row, name) for name in names}


def cost_line(row: Row) -> str:
    """Return what a set cost, for the terminal."""
    return (
        f"{describe(row)}: {human_seconds(row.seconds or 0)}, {row.peak_mb or 0:.0f} MB at most, "
        f"{human_bytes(row.bytes or 0)}"
    )


def row_line(row: Row) -> str:
    """Return a finished row for the terminal."""
    text = f"failed: {row.error}" if row.error else f"accuracy {human_number(row.accuracy)}"
    if not row.error and row.metric != "accuracy":
        text = f"{NAMES[row.metric]} {human_number(row.value)}, {text}"
    return f"{describe(row)}, {row.model}: {text}"


def describe(row: Row) -> str:
    """Return which set a row is of, in words."""
    return f"{row.distiller}{f' ipc {row.ipc}' if row.ipc else ''} seed {row.seed}"


def one_line(error: BaseException) -> str:
    """Return the message of `error` on one line."""
    return " ".join(str(error).split())
