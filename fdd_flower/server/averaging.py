"""Guards round strategies that average parameters: judged replies, bounded claims, a quorum."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg, Strategy

from fdd_flower.server.judging.replies import arrays_of, judged_replies
from fdd_flower.server.judging.validator import Rules
from fdd_flower.server.sampling import Sampler
from fdd_flower.server.side import ServerSide
from fdd_flower.wire.records import ARRAYS, COUNT, METRICS, to_array_record, to_numpy
from fdd_flower.wire.refusals import Code, RefusedError

MAX_CLAIM = 10**9
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

    Parameters
    ----------
    kind
        Where it reads other metrics than `num-examples`, it names all of them in `numbers`.
    """

    class Guarded(_Guard, kind):
        """`kind`, fed with judged replies."""

    Guarded.__name__ = kind.__name__
    Guarded.side = side
    Guarded.sampler = Sampler(side)
    Guarded.numbers = getattr(kind, "numbers", (COUNT,))
    return Guarded(
        fraction_train=1.0,  # of the nodes that the sampler chose
        fraction_evaluate=0.0,
        min_train_nodes=1,
        min_available_nodes=1,
        arrayrecord_key=ARRAYS,
        **options,
    )


class _Guard(Averaging):
    side: ServerSide
    sampler: Sampler
    numbers: tuple[str, ...]

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Choose whom to ask, then do as the strategy does; a reply must be like what is sent."""
        chosen = cast(Grid, _Chosen(self.sampler.choose(grid, server_round, config)))
        messages = list(super().configure_train(server_round, arrays, config, chosen))
        # Flower shuffles them
        messages.sort(key=lambda message: message.metadata.dst_node_id)
        sent = arrays_of(messages[0].content)
        self.model = {name: (tuple(a.shape), a.dtype) for name, a in sent.items()}
        self.max_bytes = HEADROOM + sum(len(array.data) for array in sent.values())
        return messages

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Drop what cannot be used and hand the rest, in client order, to the strategy."""
        replies = list(replies)
        # Copies are allowed: two clients that change nothing send the same parameters.
        rules = Rules(
            nonce=self.side.plan.nonce,
            round=server_round,
            max_bytes=self.max_bytes,
            decode=self._judge,
            keep=lambda content: content,
        )
        usable = judged_replies(replies, side=self.side, rules=rules)
        for name in self.numbers:
            _clamp_claims(name, [content[METRICS] for _, content in usable])
        template = next(message for message in replies if message.has_content())
        clean = [Message(content, reply_to=template) for _, content in usable]
        arrays, metrics = super().aggregate_train(server_round, clean)
        return arrays and self._as_sent(arrays), metrics

    def _as_sent(self, arrays: ArrayRecord) -> ArrayRecord:
        # Means of counters are floats, and some strategies compute in float64: the next round's
        # replies would not be like what was sent.
        return ArrayRecord(
            {name: Array(_in_type(a.numpy(), self.model[name][1])) for name, a in arrays.items()}
        )

    def _judge(self, content: RecordDict) -> RecordDict:
        arrays = to_numpy(arrays_of(content), max_bytes=self.max_bytes)
        if set(arrays) != set(self.model):
            strangers = sorted(set(arrays) ^ set(self.model))[0][:40]
            raise _bad("reply.arrays", "the model's parameters", ascii(strangers), Code.ARRAYS)
        for name, (shape, dtype) in self.model.items():
            _check_parameter(f"reply.arrays.{name}", arrays[name], shape, dtype)
        numbers = MetricRecord({name: _claim(name, content) for name in self.numbers})
        # What is averaged is what was judged: the decoded arrays, in the order of those that were
        # sent, for some strategies go by the place; and only the known numbers.
        in_order = to_array_record({name: arrays[name] for name in self.model})
        return RecordDict({ARRAYS: in_order, METRICS: numbers})


class _Chosen:
    """A grid of the chosen nodes, for strategies that ask all there are."""

    def __init__(self, nodes: list[int]) -> None:
        self.nodes = nodes

    def get_node_ids(self) -> list[int]:
        return self.nodes


def _in_type(values: np.ndarray, dtype: str) -> np.ndarray:
    whole = np.issubdtype(np.dtype(dtype), np.integer)
    return np.asarray(np.rint(values) if whole else values, dtype=dtype)


def _claim(name: str, content: RecordDict) -> int:
    count = content[METRICS].get(name)
    if type(count) is not int or not 0 < count <= MAX_CLAIM:
        expected = f"an integer from 1 to {MAX_CLAIM}"
        raise _bad(f"reply.metrics.{name}", expected, str(count)[:40], Code.WEIGHTS)
    return count


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


def _clamp_claims(name: str, metrics: Sequence[Any]) -> None:
    """Bound what each client claims by `MAX_RATIO` times the median of the round."""
    claims = sorted(numbers[name] for numbers in metrics)
    most = MAX_RATIO * claims[len(claims) // 2]
    for numbers in metrics:
        numbers[name] = min(numbers[name], most)


def _bad(what: str, expected: str, got: object, code: Code) -> RefusedError:
    return RefusedError(what, expected=expected, got=got, code=code)
