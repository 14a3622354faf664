"""How much better a method does than another one beside it, seed by seed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from fdd_flower.bench.federated.rows import Row, cuts
from fdd_flower.bench.federated.spread import interval
from fdd_flower.report.headline import LOWER, SHARES

AHEAD, BEHIND, OPEN = "ahead", "behind", "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """The difference between a method and another one, on one split and by one model.

    Attributes
    ----------
    cut
        What table and panel call the data set and its split.
    method, beside
        Compared on the same seeds.
    kind
        The distiller of `beside`; its strategy where it has none.
    rounds
        Of `method`.
    metric
        What is compared: what all runs show first.
    gain, half
        The mean over seeds, and half of its 95 % confidence interval, in points of a hundred where
        the metric is a share; better is positive. One seed has no interval.
    seeds
        How many are in the mean.
    bytes_up, bytes_beside
        Of a client, all rounds.
    seconds, seconds_beside
        Of the slowest client, the server, and the whole run on this machine.
    """

    cut: str
    method: str
    beside: str
    kind: str
    rounds: int
    model: str
    metric: str
    gain: float
    half: float | None
    seeds: int
    bytes_up: float
    bytes_beside: float
    seconds: tuple[float, float, float]
    seconds_beside: tuple[float, float, float]

    @property
    def verdict(self) -> str:
        """Which of the two is better, if the interval does not hold 0."""
        if self.half is None or abs(self.gain) <= self.half:
            return OPEN
        return AHEAD if self.gain > 0 else BEHIND


def gains(rows: Sequence[Row], pairs: Sequence[tuple[str, str]]) -> list[Gain]:
    """Return what each first of `pairs` gains over its second, by split and by model.

    A seed counts where both runs completed and both have the model.
    """
    good = [row for row in rows if not row.error]
    found = []
    for cut, name in cuts(rows).items():
        here = [row for row in good if row.cut == cut]
        for method, beside in pairs:
            own = {row.seed: row for row in here if row.method == method}
            other = {row.seed: row for row in here if row.method == beside}
            both = [(own[seed], other[seed]) for seed in sorted(own.keys() & other.keys())]
            found += _of_models(name, both)
    return found


def _of_models(cut: str, both: Sequence[tuple[Row, Row]]) -> list[Gain]:
    models = dict.fromkeys(
        model for one, two in both for model in _models(one) if model in _models(two)
    )
    found = []
    for model in models:
        pairs = [(a, b) for a, b in both if model in _models(a) and model in _models(b)]
        metric = pairs[0][0].metric
        values = [(_value(a, metric, model), _value(b, metric, model)) for a, b in pairs]
        sign = -1 if metric in LOWER else 1
        unit = sign * (100 if metric in SHARES else 1)
        known = [unit * (a - b) for a, b in values if a is not None and b is not None]
        if not known:
            continue
        mean, half = interval(known)
        first, second = pairs[0]
        found.append(
            Gain(
                cut=cut,
                method=first.method,
                beside=second.method,
                kind=second.distiller or second.strategy,
                rounds=first.rounds or 1,
                model=model,
                metric=metric,
                gain=mean,
                half=half,
                seeds=len(known),
                bytes_up=statistics.mean(a.bytes_up or 0.0 for a, _ in pairs),
                bytes_beside=statistics.mean(b.bytes_up or 0.0 for _, b in pairs),
                seconds=_seconds([a for a, _ in pairs]),
                seconds_beside=_seconds([b for _, b in pairs]),
            )
        )
    return found


def _models(row: Row) -> tuple[str, ...]:
    return (row.model, *row.by_model)


def _value(row: Row, metric: str, model: str) -> float | None:
    return row.measured(metric, "" if model == row.model else model)


def _seconds(rows: Sequence[Row]) -> tuple[float, float, float]:
    return (
        statistics.mean(row.seconds_clients or 0.0 for row in rows),
        statistics.mean(row.seconds_server or 0.0 for row in rows),
        statistics.mean(row.seconds or 0.0 for row in rows),
    )
