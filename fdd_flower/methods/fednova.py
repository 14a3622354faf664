"""FedNova (arXiv:2007.07481): clients that take more steps do not dominate the average.

The server divides each client's way by |a_i|_1, the count of gradients that its steps add up to,
and goes their weighted mean times the weighted mean of |a_i|_1:
x' = x + (sum_i p_i |a_i|_1) (sum_i p_i (y_i - x) / |a_i|_1), p_i the client's share of the records.

With local momentum |a_i|_1 is `sum_of_weights`, as in the paper and in Flower's niid_bench. What
differs: the client says its number of steps and the server computes |a_i|_1, so that its claim is a
whole number that is judged and bounded as its count of records is; running statistics, which take
no steps, are averaged as FedAvg does. With equal steps it is FedAvg.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg, Strategy

from fdd_flower.client.averaging import average_client, local_steps, sum_of_weights
from fdd_flower.client.side import ClientSide
from fdd_flower.methods.base import STRATEGIES, Method
from fdd_flower.server.averaging import guarded
from fdd_flower.server.judging.replies import arrays_of
from fdd_flower.server.side import ServerSide
from fdd_flower.wire.records import COUNT, METRICS, STEPS


class FedNova(FedAvg):
    """FedAvg of normalised updates.

    Parameters
    ----------
    parameters
        Names of the arrays that gradients move.
    momentum
        Of the clients' SGD.
    """

    numbers = (COUNT, STEPS)

    def __init__(self, *, parameters: Collection[str], momentum: float, **options: Any) -> None:
        super().__init__(**options)
        self.parameters, self.momentum = frozenset(parameters), momentum
        self.before: dict[str, np.ndarray] = {}

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Remember the model that clients start from."""
        self.before = {name: array.numpy() for name, array in arrays.items()}
        return super().configure_train(server_round, arrays, config, grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Average the updates, each divided by its client's steps."""
        replies = list(replies)
        mean, metrics = super().aggregate_train(server_round, replies)
        if mean is None:
            return mean, metrics
        numbers: list[Any] = [message.content[METRICS] for message in replies]
        shares = np.array([n[COUNT] for n in numbers], float)
        shares /= shares.sum()  # p_i
        sizes = np.array([sum_of_weights(n[STEPS], self.momentum) for n in numbers])  # |a_i|_1
        factors = shares @ sizes * shares / sizes
        for name in self.parameters:
            start = self.before[name].astype(np.float64)
            ways = (arrays_of(m.content)[name].numpy() - start for m in replies)
            step = sum(factor * way for factor, way in zip(factors, ways, strict=True))
            mean[name] = Array(np.asarray(start + step))
        return mean, metrics


def counting_client(side: ClientSide) -> tuple[ArrayRecord, dict[str, int | float]]:
    """Train as FedAvg does, and say in how many steps."""
    arrays, numbers = average_client(side)
    return arrays, {**numbers, STEPS: local_steps(len(side.data), side.cfg.local)}


def _server(side: ServerSide) -> Strategy:
    names = [name for name, _ in side.new_model().named_parameters()]
    return guarded(FedNova, side, parameters=names, momentum=side.cfg.local.momentum)


STRATEGIES.register("fednova")(
    Method(server=_server, client=counting_client, distils=False, uses=())
)
