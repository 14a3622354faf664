"""What the strategies that average parameters share: guards on the server, SGD on the client."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg, Strategy

from fdd_flower.errors import WireError
from fdd_flower.rng import stream
from fdd_flower.strategies._grid import wait_for_nodes
from fdd_flower.strategies._replies import arrays_of, screen
from fdd_flower.strategies.base import ClientSide, ServerSide
from fdd_flower.training import train_locally
from fdd_flower.wire.records import ARRAYS, METRICS, to_array_record, to_numpy

MAX_EXAMPLES = 10**9
HEADROOM = 65_536  # bytes of NPY headers

if TYPE_CHECKING:
    Averaging = FedAvg
else:
    Averaging = object  # at run time the mixin stands before one of Flower's strategies


def guarded(kind: type[FedAvg], side: ServerSide, **options: Any) -> Strategy:
    """Return one of Flower's averaging strategies behind this project's checks.

    Bad replies are dropped with a reason, the quorum holds, and the good replies reach the
    strategy sorted by client, so that sums round the same way in every run.
    """

    class Guarded(_Guard, kind):
        """`kind`, fed with judged replies."""

    Guarded.__name__ = kind.__name__
    Guarded.side = side
    return Guarded(
        fraction_train=1.0,
        fraction_evaluate=0.0,
        min_train_nodes=side.cfg.strategy.quorum,
        min_available_nodes=side.cfg.strategy.min_nodes,
        arrayrecord_key=ARRAYS,
        **options,
    )


class _Guard(Averaging):
    side: ServerSide

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Wait for enough clients, but not for ever, then do as the strategy does."""
        cfg = self.side.cfg.strategy
        wait_for_nodes(grid, max(cfg.min_nodes, cfg.quorum), seconds=cfg.deadline)
        self.shapes = {name: (a.shape, a.dtype) for name, a in arrays.items()}
        self.max_bytes = HEADROOM + sum(len(array.data) for array in arrays.values())
        return super().configure_train(server_round, arrays, config, grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Drop what cannot be used and hand the rest, in client order, to the strategy."""
        replies = list(replies)
        usable = screen(replies, server_round=server_round, side=self.side, judge=self._judge)
        template = next(message for message in replies if message.has_content())
        clean = [Message(content, reply_to=template) for _, content in usable]
        return super().aggregate_train(server_round, clean)

    def _judge(self, content: RecordDict) -> RecordDict:
        arrays = to_numpy(arrays_of(content), max_bytes=self.max_bytes)
        got = {name: (a.shape, str(a.dtype)) for name, a in arrays.items()}
        want = {name: (tuple(shape), dtype) for name, (shape, dtype) in self.shapes.items()}
        if got != want:
            wrong = sorted(k for k in {*got, *want} if got.get(k) != want.get(k))
            raise _bad(f"reply.arrays.{wrong[0][:40]}", "the model's parameters", "others")
        for name, array in arrays.items():
            if not bool(torch.isfinite(torch.from_numpy(array)).all()):
                raise _bad(f"reply.arrays.{name}", "finite values", "NaN or infinity")
        metrics = content[METRICS]
        count = metrics.get("num-examples")
        if type(count) is not int or not 0 < count <= MAX_EXAMPLES:
            raise _bad("reply.metrics.num-examples", f"an integer from 1 to {MAX_EXAMPLES}", count)
        # What is averaged is what was judged: the decoded arrays, and only the known numbers.
        numbers = MetricRecord({"num-examples": count})
        return RecordDict({ARRAYS: to_array_record(arrays), METRICS: numbers})


def average_client(
    side: ClientSide, *, proximal_mu: float = 0.0
) -> tuple[ArrayRecord, dict[str, int | float]]:
    """Train the global model on the client's records and return its parameters."""
    model = side.global_model()
    rng = stream(side.cfg.seed, "local", side.client, side.plan.round)
    train_locally(side.data, model, side.cfg.local, rng=rng, proximal_mu=proximal_mu)
    return ArrayRecord(model.state_dict()), {"num-examples": len(side.data)}


def _bad(what: str, expected: str, got: object) -> WireError:
    return WireError(what, expected=expected, got=got, remedy="The reply is dropped.")
