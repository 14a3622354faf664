"""Flower's RecordDict <-> the plan that goes down and the set that comes up."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from weakref import WeakKeyDictionary

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.common.serde import recorddict_to_proto

from fdd_flower.data.schema_toml import read_schema_text, schema_text
from fdd_flower.distillers.base import Plan
from fdd_flower.errors import DataError, WireError
from fdd_flower.schema import Normalisation, Schema
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.codecs.base import Codec
from fdd_flower.wire.refusals import DROPPED, Code, RefusedError

# Of both messages, as docs/wire-format.md has it. Readers refuse any other major version; a minor
# one is written as `schema-minor` and left out while it is 0, as it always was.
SCHEMA, MINOR = 1, 0
EXTENSION = "x-"  # begins a key that nobody has to know
ARRAYS, CONFIG, META, METRICS, PEERS = "arrays", "config", "meta", "metrics", "peers"
LOGITS = "class-logits"
BASIS = "basis"  # of a finishing round: what the sums over records are in
CHANNELS, RATE = "channels", "rate"  # of the plan, where the records are series that have them
TABLE = "table"  # of the plan: the schema of the records, in TOML, where they are rows of a table
COUNT, STEPS = "num-examples", "num-steps"  # metrics of a client that trained
MAX_SECONDS = 1e7
MAX_KEY = 128  # characters of a client key

_VERSION = ("schema", "schema-minor")
_META = {"client": str, "nonce": str, "round": int}
_METRICS = ("seconds", COUNT, STEPS)
_PLAN = (
    "server-round", "seed", "nonce", "classes", "feature-shape", "mean", "std", "proximal-mu",
    "settings", TABLE, CHANNELS, RATE,
)  # fmt: skip
_KEY = Code.CLIENT_KEY

# To know a size is to copy the content: who counts bytes and who judges a reply share one copy.
_REPLY_BYTES: WeakKeyDictionary[Message, int] = WeakKeyDictionary()


def message_bytes(content: RecordDict) -> int:
    """Return the size of a message's content on the wire, labels and metadata included."""
    return recorddict_to_proto(content).ByteSize()


def reply_bytes(message: Message) -> int:
    """Return the size of a reply's content on the wire, 0 without one; computed once a message."""
    if message not in _REPLY_BYTES:
        _REPLY_BYTES[message] = message_bytes(message.content) if message.has_content() else 0
    return _REPLY_BYTES[message]


def array_bytes(content: RecordDict) -> int:
    """Return the bytes of all arrays in a message: less than its size, and free to ask for."""
    return sum(len(array.data) for r in content.array_records.values() for array in r.values())


def to_bytes(content: RecordDict) -> bytes:
    """Return a message's content as it travels."""
    return recorddict_to_proto(content).SerializeToString(deterministic=True)


def plan_record(plan: Plan) -> ConfigRecord:
    """Return the settings part of the message that goes down."""
    found = ConfigRecord(
        {
            "schema": SCHEMA,
            "server-round": plan.round,
            "seed": plan.seed,
            "nonce": plan.nonce,
            "classes": list(plan.classes),
            "feature-shape": list(plan.feature_shape),
            "mean": list(plan.normalisation.mean),
            "std": list(plan.normalisation.std),
        }
    )
    if plan.label:
        table = Schema.of_table(
            plan.columns, classes=plan.classes, label=plan.label, prior=plan.prior
        )
        found[TABLE] = schema_text(table)
    if plan.channels:
        found[CHANNELS], found[RATE] = list(plan.channels), plan.rate
    return found


def read_plan(content: RecordDict) -> Plan:
    """Return the plan in a message from the server.

    Raises
    ------
    WireError
        If it lacks a field or has an unknown one, or its schema is not this one.
    """
    record = content.get(CONFIG)
    try:
        if not isinstance(record, ConfigRecord):
            raise _bad("plan.schema", str(SCHEMA), "no plan", Code.SCHEMA)
        newer = _is_newer(record, "plan")
        _require_known("plan", record, {*_PLAN, *_VERSION}, newer)
        _require_known("plan message", content, {ARRAYS, CONFIG, PEERS, LOGITS, BASIS}, newer=False)
    except RefusedError as error:
        raise _cannot_read(error.what, error.expected, error.got) from error
    fields = dict(record)
    try:
        table = read_schema_text(str(fields[TABLE]), where="plan") if TABLE in fields else None
        return Plan(
            round=int(fields["server-round"]),  # type: ignore[arg-type]
            seed=int(fields["seed"]),  # type: ignore[arg-type]
            nonce=str(fields["nonce"]),
            classes=tuple(map(str, fields["classes"])),  # type: ignore[arg-type]
            feature_shape=tuple(map(int, fields["feature-shape"])),  # type: ignore[arg-type]
            normalisation=Normalisation(
                mean=tuple(map(float, fields["mean"])),  # type: ignore[arg-type]
                std=tuple(map(float, fields["std"])),  # type: ignore[arg-type]
            ),
            columns=table.columns if table else (),
            label=table.label if table else "",
            prior=table.prior if table else (),
            channels=tuple(map(str, fields.get(CHANNELS, ()))),  # type: ignore[arg-type]
            rate=float(fields.get(RATE, 0.0)),  # type: ignore[arg-type]
        )
    except (KeyError, TypeError, ValueError, DataError) as error:
        raise _cannot_read("plan", "every field of schema 1", repr(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Who replies to which plan, and how long the work took."""

    client: str
    nonce: str
    round: int
    seconds: float


def reply(arrays: ArrayRecord, envelope: Envelope, metrics: dict[str, int | float]) -> RecordDict:
    """Return the content of a reply: arrays, envelope and metrics, and nothing else."""
    meta = ConfigRecord(
        {
            "schema": SCHEMA,
            "client": envelope.client,
            "nonce": envelope.nonce,
            "round": envelope.round,
        }
    )
    metric = MetricRecord({"seconds": envelope.seconds, **metrics})
    return RecordDict({ARRAYS: arrays, META: meta, METRICS: metric})


def refusal(reason: str, envelope: Envelope) -> RecordDict:
    """Return a reply that says, in a word, why there is no set.

    Only the kind of refusal travels: the details name classes and counts, and stay in the
    client's own log.
    """
    content = reply(ArrayRecord(), envelope, {})
    content[META]["refused"] = reason  # type: ignore[index]
    return content


def read_envelope(content: RecordDict) -> Envelope:
    """Return who a reply is from.

    Raises
    ------
    RefusedError
        If a record or field is missing, unknown or of a wrong type; or the client refused.
    """
    if set(content) != {ARRAYS, META, METRICS}:
        raise _bad("reply", f"the records {ARRAYS}, {META} and {METRICS}", _names(content))
    meta, metrics = content[META], content[METRICS]
    if not isinstance(content[ARRAYS], ArrayRecord):
        raise _bad(f"reply.{ARRAYS}", "a record of arrays", "another kind")
    if not isinstance(meta, ConfigRecord) or not isinstance(metrics, MetricRecord):
        raise _bad("reply", "settings in meta and numbers in metrics", "other kinds of record")
    # First of all fields: what the others are is for the version to say.
    newer = _is_newer(meta, "reply.meta")
    _require_known("reply.meta", meta, {*_META, *_VERSION, "refused"}, newer)
    _require_known("reply.metrics", metrics, _METRICS, newer)
    for key, kind in _META.items():
        if type(meta.get(key)) is not kind:
            got = type(meta[key]).__name__ if key in meta else "nothing"
            raise _bad(f"reply.meta.{key}", kind.__name__, got)
    client = str(meta["client"])
    # One spelling per client: in NFKC a full-width 3 is a 3, and nothing hides in its width.
    if not 0 < len(client) <= MAX_KEY or not client.isprintable():
        got = f"{len(client)} of them"
        raise _bad("reply.meta.client", f"1 to {MAX_KEY} printable characters", got, _KEY)
    if client != unicodedata.normalize("NFKC", client).strip():
        raise _bad("reply.meta.client", "its plainest spelling (NFKC)", ascii(client)[:80], _KEY)
    seconds = metrics.get("seconds")
    if type(seconds) not in (int, float) or not 0 <= seconds <= MAX_SECONDS:  # type: ignore[operator]
        expected = f"a number from 0 to {MAX_SECONDS:g}"
        raise _bad("reply.metrics.seconds", expected, str(seconds)[:40])
    if "refused" in meta:
        why = f"a refusal ({str(meta['refused'])[:80]})"
        raise _bad(f"client {client}", "a set", why, Code.REFUSED)
    return Envelope(
        client=client,
        nonce=str(meta["nonce"]),
        round=int(meta["round"]),  # type: ignore[arg-type]
        seconds=float(seconds),  # type: ignore[arg-type]
    )


def _is_newer(record: ConfigRecord, what: str) -> bool:
    """Return whether `record` is of a later minor version than this reader.

    Raises
    ------
    RefusedError
        If it is of another major version, or of none.
    """
    major, minor = record.get("schema", "nothing"), record.get("schema-minor", 0)
    if type(major) is not int or major != SCHEMA:
        raise _bad(f"{what}.schema", str(SCHEMA), repr(major)[:40], Code.SCHEMA)
    if type(minor) is not int or minor < 0:
        raise _bad(f"{what}.schema-minor", "an integer from 0", repr(minor)[:40], Code.SCHEMA)
    return minor > MINOR


def _require_known(what: str, names: Iterable[str], known: Collection[str], newer: bool) -> None:
    """Refuse a key that nothing defines; a later minor version may have keys of its own."""
    unknown = [n for n in names if n not in known and not n.startswith(EXTENSION)]
    if unknown and not newer:
        raise _bad(what, f"only the keys {', '.join(sorted(known))}", _names(unknown))


def to_array_record(arrays: Mapping[str, np.ndarray]) -> ArrayRecord:
    """Return named numpy arrays as a record."""
    return ArrayRecord({name: Array(np.asarray(a, order="C")) for name, a in arrays.items()})


def to_numpy(record: ArrayRecord, *, max_bytes: int) -> dict[str, np.ndarray]:
    """Return a record's arrays, refusing more than `max_bytes` before anything is decoded.

    Raises
    ------
    RefusedError
        If the record is too large, or an array is not plain NPY of the size its header says.
    """
    total = sum(len(array.data) for array in record.values())
    if total > max_bytes:
        code = Code.TOO_LARGE
        raise _bad("reply.arrays", f"at most {max_bytes} bytes", f"{total} bytes", code)
    return {name: _decode_npy(name, array.data) for name, array in record.items()}


def _decode_npy(name: str, data: bytes) -> np.ndarray:
    # The header in the payload is what counts: a forged one may promise terabytes, so its
    # promise is compared with the bytes at hand before numpy allocates.
    stream = BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, _, dtype = read(stream)
        promised, left = (
            dtype.itemsize * int(np.prod(shape, dtype=object)),
            len(data) - stream.tell(),
        )
        if dtype.hasobject or promised != left:
            raise ValueError(f"its header promises {promised} bytes and {left} follow")
        stream.seek(0)
        return np.load(stream, allow_pickle=False)
    except Exception as error:  # numpy's readers raise anything on hostile bytes
        what, code = f"reply.arrays.{name[:40]}", Code.UNDECODABLE
        raise _bad(what, "plain NPY", str(error)[:120], code) from error


def set_record(part: SyntheticSet, codec: Codec) -> ArrayRecord:
    """Return a set, encoded, as a record."""
    return to_array_record(codec.encode(part))


def read_set(record: ArrayRecord, codec: Codec, plan: Plan, *, max_bytes: int) -> SyntheticSet:
    """Return the set in a reply.

    Raises
    ------
    WireError
        If it is too large, malformed, or does not fit the plan.
    """
    arrays = to_numpy(record, max_bytes=max_bytes)
    if not arrays:
        raise _bad("reply.arrays", "a set", "no array", Code.EMPTY)
    return codec.decode(arrays, feature_shape=plan.feature_shape, num_classes=len(plan.classes))


def _names(found: Iterable[str]) -> str:
    # repr, and cut: the names are a stranger's.
    return ", ".join(sorted(repr(name[:40]) for name in found))[:200] or "none"


def _bad(what: str, expected: str, got: object, code: Code = Code.ENVELOPE) -> RefusedError:
    remedy = "Choose another client-name in its node config." if code == _KEY else DROPPED
    return RefusedError(what, expected=expected, got=got, remedy=remedy, code=code)


def _cannot_read(what: str, expected: str, got: object) -> WireError:
    return WireError(
        what,
        expected=expected,
        got=got,
        remedy="Install the same fdd-flower on the server and on every client.",
    )
