"""A line of the bench: one model trained on one set."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, TypeVar

from fdd_flower.errors import DataError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    R = TypeVar("R", bound=DataclassInstance)

DISTILLED, BASELINE, FULL, SUMMED_GRAM = "distilled", "baseline", "full", "summed-gram"

Key = tuple[str, str, int, int, int, str]  # kind, distiller, size, quality, seed, model


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What `rows.json` holds a list of; the first eight keys are fixed, others may be added.

    Attributes
    ----------
    distiller
        Or `full` (all records), or `summed-gram` (ridge regression from sums over all records).
    ipc
        Rows a class that were asked for; 0: all records.
    accuracy
        From 0 to 1; None where the row failed.
    seconds, peak_mb
        Of the distillation, in a process of its own, with 10**6 bytes a MB.
    bytes
        Of the encoded arrays; of the stored records for `full`.
    kind
        `distilled`, `baseline`, `full` or `summed-gram`.
    records
        Records in the set, unpacked.
    quality
        The codec's; 0 where it has none.
    resolution
        Sixteenths of an image's sides that were sent; 0 for a codec that always sends all.
    seconds_train
        Of training and measuring the model.
    accuracy_hard
        With the most probable class as each row's only label.
    target
        Bytes of the set that a baseline stands beside: it takes at most as many; 0 else.
    digest
        Of the encoded set: rows of one digest, seed and model are one measurement.
    baselines
        Accuracy of the baselines of equal bytes under the same recipe.
    metric
        What a run on the same test records shows first: what sets are compared by.
    metrics
        All that are defined, by name; with `metric` too. Empty where the row failed.
    baselines_by_metric
        `metric` of the baselines; empty where it is accuracy.
    ior, hlr
        See `scores`; None while one of their parts is missing.
    error
        Why the row failed; empty if it did not.
    """

    distiller: str
    model: str
    ipc: int
    seed: int
    accuracy: float | None
    seconds: float | None
    peak_mb: float | None
    bytes: int | None
    kind: str
    codec: str
    quality: int = 0
    records: int | None = None
    seconds_train: float | None = None
    accuracy_hard: float | None = None
    target: int = 0
    digest: str = ""
    baselines: Mapping[str, float | None] = field(default_factory=dict)
    ior: float | None = None
    hlr: float | None = None
    resolution: int = 0
    metric: str = "accuracy"
    metrics: Mapping[str, float] = field(default_factory=dict)
    baselines_by_metric: Mapping[str, float | None] = field(default_factory=dict)
    error: str = ""

    @property
    def value(self) -> float | None:
        """`metric` of the row; None where it failed, or where it is undefined."""
        return self.accuracy if self.metric == "accuracy" else self.metrics.get(self.metric)

    @property
    def beside(self) -> Mapping[str, float | None]:
        """`metric` of the baselines."""
        return self.baselines if self.metric == "accuracy" else self.baselines_by_metric

    @property
    def key(self) -> Key:
        """What no two rows of a bench share."""
        if self.kind == BASELINE:
            return baseline_key(self.distiller, self.target, self.quality, self.seed, self.model)
        return (self.kind, self.distiller, self.ipc, 0, self.seed, self.model)


def baseline_key(name: str, target: int, quality: int, seed: int, model: str) -> Key:
    """Return the key of the baseline `name` beside a set of `target` bytes."""
    return (BASELINE, name, target, quality, seed, model)


def to_json(rows: Sequence[DataclassInstance]) -> bytes:
    """Return `rows.json`, of this bench or of another one with rows of its own."""
    return (json.dumps([asdict(row) for row in rows], indent=1, allow_nan=False) + "\n").encode()


def from_json(text: bytes, kind: type[R], *, where: str) -> list[R]:
    """Return the rows of a `kind` in `rows.json`, without keys that this version does not know.

    Raises
    ------
    DataError
        If it holds something else; it names `where`.
    """
    known = {item.name for item in fields(kind)}
    try:
        return [
            kind(**{k: v for k, v in found.items() if k in known}) for found in json.loads(text)
        ]
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(
            where,
            expected="the rows of a bench",
            got=f"{type(error).__name__}: {error}",
            remedy="The file was edited or truncated; use another folder for the bench.",
        ) from error


def put(rows: list[Row], row: Row) -> None:
    """Add `row` to `rows`, in the place of the one of the same key."""
    for place, old in enumerate(rows):
        if old.key == row.key:
            rows[place] = row
            return
    rows.append(row)
