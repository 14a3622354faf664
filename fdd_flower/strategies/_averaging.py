"""What the strategies that average parameters share: guards on the server, SGD on the client."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg, Strategy

from fdd_flower.rng import stream
from fdd_flower.strategies._grid import wait_for_nodes
from fdd_flower.strategies._replies import arrays_of, screen
from fdd_flower.strategies._validator import Rules
from fdd_flower.strategies.base import ClientSide, ServerSide
from fdd_flower.training import train_locally
from fdd_flower.wire.codecs._codes import Code, RefusedError
from fdd_flower.wire.records import ARRAYS, METRICS, to_array_record, to_numpy

MAX_EXAMPLES = 10**9
# Nobody can check a claimed count. Uneven federations stay within this factor of the median, so
# that honest averages are what they were, and a client that claims a billion records gets a
# hundred shares and not the whole. What holds against liars is krum or fedmedian, or fdd.
MAX_RATIO = 100
# Parameters and running statistics of networks that learn are below it by far; sums of squares
# over a billion of them, as Krum needs, stay far inside float32.
MAX_PARAMETER = 1e8
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
        self.model = {name: (tuple(a.shape), a.dtype) for name, a in arrays.items()}
        self.max_bytes = HEADROOM + sum(len(array.data) for array in arrays.values())
        return super().configure_train(server_round, arrays, config, grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Drop what cannot be used and hand the rest, in client order, to the strategy."""
        replies = list(replies)
        # Copies are allowed: two clients that change nothing send the same parameters.
        rules = Rules(
            nonce=self.side.plan.nonce, round=server_round, max_bytes=self.max_bytes,
            decode=self._judge, keep=lambda content: content,
        )  # fmt: skip
        usable = screen(replies, side=self.side, rules=rules)
        _clamp_counts([content[METRICS] for _, content in usable])
        template = next(message for message in replies if message.has_content())
        clean = [Message(content, reply_to=template) for _, content in usable]
        return super().aggregate_train(server_round, clean)

    def _judge(self, content: RecordDict) -> RecordDict:
        arrays = to_numpy(arrays_of(content), max_bytes=self.max_bytes)
        if set(arrays) != set(self.model):
            strangers = sorted(set(arrays) ^ set(self.model))[0][:40]
            raise _bad("reply.arrays", "the model's parameters", ascii(strangers), Code.ARRAYS)
        for name, (shape, dtype) in self.model.items():
            _check_parameter(f"reply.arrays.{name}", arrays[name], shape, dtype)
        count = content[METRICS].get("num-examples")
        if type(count) is not int or not 0 < count <= MAX_EXAMPLES:
            expected = f"an integer from 1 to {MAX_EXAMPLES}"
            raise _bad("reply.metrics.num-examples", expected, str(count)[:40], Code.WEIGHTS)
        # What is averaged is what was judged: the decoded arrays, and only the known numbers.
        numbers = MetricRecord({"num-examples": count})
        return RecordDict({ARRAYS: to_array_record(arrays), METRICS: numbers})


def _check_parameter(what: str, array: np.ndarray, shape: tuple[int, ...], dtype: str) -> None:
    if str(array.dtype) != dtype:
        raise _bad(what, dtype, str(array.dtype)[:100], Code.DTYPE)
    if array.shape != shape:
        raise _bad(what, f"shape {shape}", str(array.shape)[:100], Code.SHAPE)
    if not bool(np.isfinite(array).all()):
        raise _bad(what, "finite values", "NaN or infinity", Code.NOT_FINITE)
    largest = float(np.abs(array.astype(np.float64)).max(initial=0))
    if largest > MAX_PARAMETER:
        raise _bad(what, f"values within +-{MAX_PARAMETER:g}", f"{largest:g}", Code.RANGE)


def _clamp_counts(metrics: Sequence[Any]) -> None:
    """Bound each client's claimed count by `MAX_RATIO` times the median of the round."""
    counts = sorted(numbers["num-examples"] for numbers in metrics)
    most = MAX_RATIO * counts[len(counts) // 2]
    for numbers in metrics:
        numbers["num-examples"] = min(numbers["num-examples"], most)


def average_client(
    side: ClientSide, *, proximal_mu: float = 0.0
) -> tuple[ArrayRecord, dict[str, int | float]]:
    """Train the global model on the client's records and return its parameters."""
    model = side.global_model()
    rng = stream(side.cfg.seed, "local", side.client, side.plan.round)
    train_locally(side.data, model, side.cfg.local, rng=rng, proximal_mu=proximal_mu)
    return ArrayRecord(model.state_dict()), {"num-examples": len(side.data)}


def _bad(what: str, expected: str, got: object, code: Code) -> RefusedError:
    return RefusedError(what, expected=expected, got=got, code=code)
