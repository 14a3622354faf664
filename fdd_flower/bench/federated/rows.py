"""A row of the federated bench: one run, round by round."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fdd_flower.bench.federated.settings import Cell
from fdd_flower.report.headline import LOWER, headline_of, value_of
from fdd_flower.run_folder.rows import RoundRow, Summary

Key = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What `rows.json` holds a list of.

    Attributes
    ----------
    method, data, split, seed
        Which run; nobody else has the same four. `data` is empty in rows of older versions.
    strategy, distiller, model
        As its summary names them; `distiller` is empty where clients send parameters.
    accuracy
        Of the global model after the last round, from 0 to 1; None where the run failed.
    best
        The best `metric` of all rounds: what tables that quote the best round show. It is chosen on
        the records that it is measured on.
    by_model
        Accuracy of each of `server.models`, trained on the last merged set.
    metric
        What the run shows first, and tables and plots with it.
    metrics, metrics_by_model
        As the summary has them; what is undefined is left out.
    rounds
        That finished.
    bytes_up, bytes_down
        A client's, all rounds together.
    seconds_clients
        The slowest client's own time, summed over rounds: what a federation waits for.
    seconds_server
        Training, summed over rounds.
    seconds
        Of the whole run on this machine, one client after the other.
    curve
        After each round: `metric`, bytes up a client so far, and seconds so far as a federation
        takes them (`seconds_clients` and `seconds_server`).
    error
        Why the run failed; empty if it did not.
    """

    method: str
    split: str
    seed: int
    data: str = ""
    strategy: str = ""
    distiller: str = ""
    model: str = ""
    accuracy: float | None = None
    best: float | None = None
    by_model: Mapping[str, float] = field(default_factory=dict)
    metric: str = "accuracy"
    metrics: Mapping[str, float] = field(default_factory=dict)
    metrics_by_model: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    rounds: int | None = None
    bytes_up: float | None = None
    bytes_down: float | None = None
    seconds_clients: float | None = None
    seconds_server: float | None = None
    seconds: float | None = None
    curve: Sequence[Sequence[float]] = ()
    error: str = ""

    @property
    def key(self) -> Key:
        """What no two rows of a bench share."""
        return (self.method, self.data, self.split, self.seed)

    @property
    def cut(self) -> tuple[str, str]:
        """The data set and its split: what one table or panel is about."""
        return (self.data, self.split)

    def measured(self, metric: str, model: str = "") -> float | None:
        """Return a metric of the global model after the last round, or of one of `server.models`.

        None where it is undefined, or was not measured.
        """
        if metric == "accuracy":
            return self.by_model.get(model) if model else self.accuracy
        return (self.metrics_by_model.get(model, {}) if model else self.metrics).get(metric)


def row_of(cell: Cell, summary: Summary, rounds: Sequence[RoundRow]) -> Row:
    """Return the row of a run that completed."""
    up = down = seconds = 0.0
    curve, metric = [], headline_of(summary)
    for row in rounds:
        up += row.bytes_up / summary.num_clients
        down += row.bytes_down / summary.num_clients
        seconds += row.seconds_distill_max + row.seconds_train
        curve.append((value_of(row, metric), up, seconds))
    return Row(
        method=cell.method,
        data=cell.data,
        split=cell.split,
        seed=cell.seed,
        strategy=summary.strategy,
        distiller=summary.distiller,
        model=summary.model,
        accuracy=summary.accuracy,
        best=_best(metric, [value for value, *_ in curve if math.isfinite(value)]),
        by_model=dict(summary.accuracy_by_model),
        metric=metric,
        metrics=_finite(summary.metrics),
        metrics_by_model={name: _finite(one) for name, one in summary.metrics_by_model.items()},
        rounds=summary.rounds,
        bytes_up=up,
        bytes_down=down,
        seconds_clients=sum(row.seconds_distill_max for row in rounds),
        seconds_server=sum(row.seconds_train for row in rounds),
        seconds=summary.seconds_total,
        curve=tuple(curve),
    )


def _best(metric: str, values: Sequence[float]) -> float | None:
    return (min if metric in LOWER else max)(values, default=None)


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def failed(cell: Cell, error: str) -> Row:
    """Return the row of a run that did not complete."""
    return Row(method=cell.method, data=cell.data, split=cell.split, seed=cell.seed, error=error)


def cuts(rows: Sequence[Row]) -> dict[tuple[str, str], str]:
    """Return every data set's splits in `rows`, and what to call each: by its data if it must be.

    >>> cuts([Row(method="a", data="digits", split="iid", seed=0)])
    {('digits', 'iid'): 'iid'}
    """
    several = len({row.data for row in rows}) > 1
    return {row.cut: f"{row.data}, {row.split}" if several else row.split for row in rows}
