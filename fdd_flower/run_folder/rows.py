"""The two records of a run: a line of `rounds.jsonl`, and `summary.json`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Self

from fdd_flower.errors import DataError

COMPLETED = "completed"


class _Record:
    """A dataclass that is one JSON object, a key a field."""

    __slots__ = ()

    def _to_json(self, indent: int | None) -> str:
        values = {f.name: _plain(getattr(self, f.name)) for f in fields(self)}  # pyright: ignore[reportArgumentType]
        return json.dumps(values, indent=indent, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes, *, where: str) -> Self:
        """Read what `to_json` wrote; keys that this version does not know are ignored.

        Raises
        ------
        DataError
            If `text` is not JSON, lacks a field, or holds one of a wrong type; it names `where`.
        """
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _broken(where, "JSON", error) from error
        if not isinstance(found, dict):
            raise _broken(where, "a JSON object", type(found).__name__)
        values = {}
        for item in fields(cls):  # pyright: ignore[reportArgumentType]
            if item.name not in found:
                # a key that came later: runs from before it have none
                if item.default_factory is not MISSING:
                    continue
                raise _broken(f"{where}, key {item.name!r}", str(item.type), "no such key")
            values[item.name] = _read(str(item.type), found[item.name], f"{where}, {item.name!r}")
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRow(_Record):
    """What one round did.

    Attributes
    ----------
    round
        From 1.
    accuracy
        Of the global model on the server's test split, from 0 to 1.
    loss
        Mean cross-entropy there, in nats.
    replies
        Replies that were used.
    rejected
        Replies that came and were refused, or quarantined; the ledger has their reasons.
    bytes_up, bytes_down
        Message payloads from and to all clients.
    seconds_distill_max
        The slowest client's own time.
    seconds_train
        The server's merging and training.
    epsilon
        Privacy spent so far; None when there is no guarantee.
    rejected_codes
        How many were refused for which reason; empty in runs from before reasons had codes.
    metrics
        `balanced_accuracy, macro_f1, auroc, average_precision, brier, ece, majority` of the global
        model there; nan where the records define none. Empty in runs from before there were any.
    """

    round: int
    accuracy: float
    loss: float
    replies: int
    rejected: int
    bytes_up: int
    bytes_down: int
    seconds_distill_max: float
    seconds_train: float
    epsilon: float | None
    rejected_codes: Mapping[str, int] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return this row as one line; a number that is not finite becomes null."""
        return self._to_json(indent=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary(_Record):
    """What a run did, as a whole.

    `distiller`, `merger` and `codec` are empty for a strategy that sends no synthetic set.

    Attributes
    ----------
    rounds
        Rounds that finished.
    accuracy, accuracy_per_class
        After the last of them, from 0 to 1; nan where there is nothing to measure.
    bytes_up_per_client
        `bytes_up_total` / `num_clients`, over all rounds.
    accuracy_by_model
        Of each of `server.models`, trained on the last merged set.
    versions
        Version by package.
    status
        "completed", or "failed: <reason>".
    privacy
        The privacy card: mode, unit, adjacency, epsilon, delta, releases, what travels and what
        is not covered; empty in runs from before there was one.
    metric
        The one that is shown first.
    metrics
        As in `RoundRow`, after the last round.
    metrics_per_class
        By the name of the class, against the rest: `recall, precision, f1, auroc,
        average_precision, records`.
    metrics_per_client
        By the name of the group that test records are of (`partition.column`): `accuracy`, the
        metrics, and `records`. Empty where they have no groups.
    metrics_by_model
        Of each of `server.models`.
    thresholds
        For `evaluation.recall` or `evaluation.precision`, by the name of the model: `value`, and
        what it gives on the test records, `recall, precision, called, records`; `rows` is how many
        synthetic rows chose it. Empty where none is asked for.
    no_threshold
        By the name of the model: why it has none, though one is asked for, and the remedy.
    distance_per_column
        Of a table, by the name of the column, the label too: how far the synthetic rows' marginal
        is from that of the test records, from 0 to 1: `distance` by the rows' weights, and
        `same_classes` with the classes as frequent as among the test records. Empty of other
        data, and of a run without synthetic rows.
    notes
        What was said before the first round: of the server's data, and of settings without effect.
    """

    strategy: str
    distiller: str
    merger: str
    codec: str
    model: str
    data: str
    partition: str
    num_clients: int
    rounds: int
    accuracy: float
    accuracy_per_class: Sequence[float]
    bytes_up_total: int
    bytes_down_total: int
    bytes_up_per_client: float
    ipc: int
    seconds_total: float
    seed: int
    versions: Mapping[str, str]
    status: str
    accuracy_by_model: Mapping[str, float] = field(default_factory=dict)
    privacy: Mapping[str, object] = field(default_factory=dict)
    metric: str = field(default_factory=lambda: "accuracy")
    metrics: Mapping[str, float] = field(default_factory=dict)
    metrics_per_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    metrics_per_client: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    metrics_by_model: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    distance_per_column: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    no_threshold: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = field(default_factory=tuple)

    def to_json(self) -> str:
        """Return this summary indented; a number that is not finite becomes null."""
        return self._to_json(indent=2)

    @property
    def completed(self) -> bool:
        """Whether every round finished."""
        return self.status == COMPLETED


def _plain(value: Any) -> Any:
    """Return `value` in types that strict JSON has: a diverged loss must not break a reader."""
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(value[key]) for key in sorted(value)}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value


def _read(kind: str, value: object, where: str) -> Any:
    match kind, value:
        case "float | None", None:
            return None
        case "float", None:
            return math.nan
        case (("float" | "float | None"), int() | float()) if not isinstance(value, bool):
            return float(value)
        case "int", int() if not isinstance(value, bool):
            return value
        case "str", str():
            return value
        case (("Sequence[float]" | "Sequence[str]"), list()):
            return tuple(_read(kind[len("Sequence[") : -1], item, where) for item in value)
        case "Mapping[str, object]", dict():
            return value
        case _, dict() if kind.startswith("Mapping[str, "):
            inner = kind[len("Mapping[str, ") : -len("]")]
            return {name: _read(inner, item, where) for name, item in value.items()}
    raise _broken(where, kind, repr(value)[:80])


def _broken(where: str, expected: str, got: object) -> DataError:
    return DataError(
        where, expected=expected, got=got, remedy="The file was edited or truncated; run again."
    )
