"""A round of honest clients and one that is not, through the real strategies, in this process."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.serverapp.strategy import Strategy

from fdd_flower.config import CodecConfig, Config, DistillerConfig, ModelConfig, TrainingConfig
from fdd_flower.distillers.base import ClassRecords, Plan
from fdd_flower.ledger import REJECTED, Entry, Ledger, StoredSets, content_hash
from fdd_flower.local_grid import _set_task_identity
from fdd_flower.methods.base import STRATEGIES
from fdd_flower.methods.scaffold import VARIATE
from fdd_flower.methods.sketch import kind_of
from fdd_flower.schema import Normalisation
from fdd_flower.server.side import RoundTally, ServerSide, Verdict
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.codecs.base import CODECS
from fdd_flower.wire.records import (
    ARRAYS,
    META,
    METRICS,
    Envelope,
    reply,
    set_record,
    to_array_record,
)

_set_task_identity()

SHAPE, CLASSES, IPC = (1, 8, 8), ("a", "b", "c"), 4
NONCE = "0123456789abcdef"
HONEST = ("0", "2", "3")  # client keys; the node of client k is k + 1
LIAR = "1"
LATE_NODE = 99  # of a node that joined last
POSITIONS = {"first": 0, "middle": 1, "last": len(HONEST)}


def config(codec: str = "float32", strategy: str = "fdd", **distiller: Any) -> Config:
    """Return settings that make a round take milliseconds."""
    base = Config()
    return replace(
        base,
        strategy=replace(base.strategy, name=strategy),
        distiller=DistillerConfig(ipc=IPC, **distiller),
        codec=CodecConfig(name=codec),
        model=ModelConfig(name="logistic"),
        training=TrainingConfig(steps=2, batch_size=16),
    )


def plan(shape: tuple[int, ...] = SHAPE) -> Plan:
    """Return the plan that honest replies answer."""
    return Plan(
        round=1,
        seed=7,
        nonce=NONCE,
        classes=CLASSES,
        feature_shape=shape,
        normalisation=Normalisation(mean=(0.0,) * shape[0], std=(1.0,) * shape[0]),
    )


@cache
def part(client: str, round_: int = 1, shape: tuple[int, ...] = SHAPE) -> SyntheticSet:
    """Return the honest set of a client: smooth rows, which a codec of images keeps."""
    rng = np.random.default_rng([int(client), round_])
    labels = np.repeat(np.arange(len(CLASSES)), IPC)
    slopes = rng.normal(size=(len(labels), *[1] * len(shape))) * np.linspace(-1, 1, shape[-1])
    inputs = np.broadcast_to(
        slopes + rng.normal(size=(len(labels), *[1] * len(shape))), (len(labels), *shape)
    )
    return SyntheticSet(
        inputs=torch.from_numpy(inputs.astype(np.float32)),
        targets=torch.eye(len(CLASSES))[labels],
        weights=torch.from_numpy(rng.uniform(5, 50, size=len(labels)).astype(np.float32)),
    )


def envelope(client: str, round_: int = 1) -> Envelope:
    """Return the envelope of an honest reply."""
    return Envelope(client=client, nonce=NONCE, round=round_, seconds=0.5)


def honest_set(
    client: str, cfg: Config, round_: int = 1, shape: tuple[int, ...] = SHAPE
) -> RecordDict:
    """Return the content of an honest reply with a set."""
    codec = CODECS.get(cfg.codec.name)(cfg.codec)
    return reply(set_record(part(client, round_, shape), codec), envelope(client, round_), {})


def honest_sketch(client: str, cfg: Config, round_: int = 1) -> RecordDict:
    """Return the content of an honest reply with sums over the rows of an honest set."""
    kind = kind_of(cfg, replace(plan(), round=round_))
    rows, more = part(client, round_), part(client, round_ + 100)  # enough of each class
    inputs, labels = torch.cat([rows.inputs, more.inputs]), torch.cat([rows.labels, more.labels])
    held = [
        ClassRecords(label=label, inputs=inputs[labels == label], rows=1)
        for label in range(len(CLASSES))
    ]
    arrays = to_array_record(kind.encode(kind.of(held)))
    return reply(arrays, envelope(client, round_), {})


def honest_parameters(client: str, side: ServerSide) -> RecordDict:
    """Return the content of an honest reply with a model: the server's, and some noise."""
    rng = np.random.default_rng(int(client))
    noisy = {
        name: Array((value.numpy() + rng.normal(size=value.shape)).astype(np.float32))
        for name, value in side.new_model().state_dict().items()
    }
    counts: dict[str, int | float] = {"num-examples": 30 + int(client)}
    if side.cfg.strategy.name == "scaffold":
        noisy |= {f"{VARIATE}{name}": noisy[name] for name in list(noisy)}
    if side.cfg.strategy.name == "fednova":
        counts["num-steps"] = 3 + int(client)
    return reply(ArrayRecord(noisy), envelope(client), counts)


def message(content: RecordDict | Error, node: int) -> Message:
    """Return a reply of `node` after Flower's own serialisation."""
    asked = Message(RecordDict(), node, "train")
    asked.metadata.__dict__["_message_id"] = f"asked-{node}"
    answer = Message(copy.deepcopy(content), reply_to=asked)
    return message_from_proto(message_to_proto(answer))


def node_of(client: str) -> int:
    """Return the node at which an honest client is."""
    return int(client) + 1


class MemoryStaging:
    """Sets that are not accepted yet, in memory."""

    def __init__(self) -> None:
        self.sets: dict[str, SyntheticSet] = {}

    def add(self, set_: SyntheticSet) -> str:
        """Keep a set, without its free text, and return its hash."""
        sha256 = content_hash(set_)
        self.sets[sha256] = replace(set_, meta={}) if isinstance(set_, SyntheticSet) else set_
        return sha256


class MemoryLedger:
    """A ledger that waits for no disk."""

    def __init__(self) -> None:
        self.lines: list[Entry] = []
        self.kept: dict[str, SyntheticSet] = {}

    @contextmanager
    def staging(self) -> Iterator[MemoryStaging]:
        """Return a place for sets that are not accepted yet."""
        yield MemoryStaging()

    def accept(self, staged: MemoryStaging, entries: Sequence[Entry]) -> None:
        """Keep accepted sets and their lines."""
        self.lines += entries
        self.kept |= {entry.sha256: staged.sets[entry.sha256] for entry in entries}

    def load(self, sha256: str) -> SyntheticSet:
        """Return an accepted set."""
        return self.kept[sha256]

    load_any = load

    def sets(self, hashes: Mapping[str, str]) -> StoredSets:
        """Return sets by client."""
        return StoredSets(self.load, hashes)

    def reject(self, *, num_bytes: int, content: bytes | None = None, **why: Any) -> None:
        """Keep why a reply was refused."""
        self.lines.append(Entry(**why, verdict=REJECTED, sha256="", bytes=num_bytes))

    def entries(self) -> list[Entry]:
        """Return what became of each reply."""
        return list(self.lines)


@dataclass(slots=True)
class Server:
    """The server half of a run, to which replies are handed round by round.

    Without a folder its ledger is in memory.
    """

    cfg: Config
    folder: Path | None = None
    shape: tuple[int, ...] = SHAPE
    side: ServerSide = field(init=False)
    strategy: Strategy = field(init=False)

    def __post_init__(self) -> None:
        ledger: Any = Ledger(self.folder) if self.folder else MemoryLedger()
        self.side = ServerSide(cfg=self.cfg, plan=plan(self.shape), ledger=ledger)
        self.strategy = STRATEGIES.get(self.cfg.strategy.name).server(self.side)

    def round(self, replies: Sequence[Message], number: int = 1) -> Outcome:
        """Run one round on `replies`, in the order in which they arrived."""
        self.side.tally = RoundTally()
        if self.cfg.strategy.name != "fdd":  # what `configure_train` learns of the model
            model = ArrayRecord(self.side.new_model().state_dict())
            self.strategy.configure_train(1, model, ConfigRecord(), _Nodes())  # type: ignore[arg-type]
        arrays, _ = self.strategy.aggregate_train(number, list(replies))
        assert arrays is not None
        merged = self.side.merged
        digest = hashlib.sha256()
        for name in sorted(arrays):
            digest.update(arrays[name].data)
        if merged is not None:
            for values in (merged.inputs, merged.targets, merged.weights):
                digest.update(values.numpy().tobytes())
        return Outcome(digest.hexdigest(), list(self.side.tally.verdicts))

    def entries(self) -> list[Entry]:
        """Return the lines of the ledger."""
        return self.side.ledger.entries()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a round left: the hash of merged set and model, and a verdict a reply."""

    hash: str
    verdicts: list[Verdict]

    @property
    def refused(self) -> list[Verdict]:
        """The verdicts that are refusals."""
        return [verdict for verdict in self.verdicts if not verdict.accepted]


class _Nodes:
    def get_node_ids(self) -> list[int]:
        return [1, 2, 3, 4]


Change = Callable[[RecordDict], RecordDict | Error | None]


def record(content: RecordDict) -> ArrayRecord:
    """Return the arrays of a reply."""
    found = content[ARRAYS]
    assert isinstance(found, ArrayRecord)
    return found


def meta(content: RecordDict) -> ConfigRecord:
    """Return the envelope of a reply."""
    found = content[META]
    assert isinstance(found, ConfigRecord)
    return found


def metrics(content: RecordDict) -> MetricRecord:
    """Return the numbers of a reply."""
    found = content[METRICS]
    assert isinstance(found, MetricRecord)
    return found
