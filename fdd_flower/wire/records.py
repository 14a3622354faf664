"""Flower's RecordDict <-> the plan that goes down and the set that comes up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict
from flwr.common.serde import recorddict_to_proto

from fdd_flower.data.base import Normalisation
from fdd_flower.distillers.base import Plan
from fdd_flower.errors import WireError
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.codecs.base import Codec

SCHEMA = 1  # of both messages; readers refuse any other
ARRAYS, CONFIG, META, METRICS, PEERS = "arrays", "config", "meta", "metrics", "peers"
MAX_SECONDS = 1e7


def message_bytes(content: RecordDict) -> int:
    """Return the size of a message's content on the wire, labels and metadata included."""
    return recorddict_to_proto(content).ByteSize()


def plan_record(plan: Plan) -> ConfigRecord:
    """Return the settings part of the message that goes down."""
    return ConfigRecord(
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


def read_plan(content: RecordDict) -> Plan:
    """Return the plan in a message from the server.

    Raises
    ------
    WireError
        If it lacks a field, or its schema is not this one.
    """
    record = content.get(CONFIG)
    if not isinstance(record, ConfigRecord) or record.get("schema") != SCHEMA:
        got = record.get("schema") if isinstance(record, ConfigRecord) else "no plan"
        raise WireError(
            "plan.schema", expected=str(SCHEMA), got=got,
            remedy="Install the same fdd-flower on the server and on every client.",
        )  # fmt: skip
    fields = dict(record)
    try:
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
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(
            "plan", expected="every field of schema 1", got=repr(error),
            remedy="Install the same fdd-flower on the server and on every client.",
        ) from error  # fmt: skip


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
    WireError
        If a record or field is missing, unknown or of a wrong type; or the client refused.
    """
    meta, metrics = content.get(META), content.get(METRICS)
    if set(content) != {ARRAYS, META, METRICS} or not isinstance(content[ARRAYS], ArrayRecord):
        raise _bad("reply", f"the records {ARRAYS}, {META} and {METRICS}", sorted(content))
    if not isinstance(meta, ConfigRecord) or not isinstance(metrics, MetricRecord):
        raise _bad("reply", "settings in meta and numbers in metrics", "other kinds of record")
    kinds = {"schema": int, "client": str, "nonce": str, "round": int}
    wrong = [k for k, kind in kinds.items() if type(meta.get(k)) is not kind]
    unknown = set(meta) - set(kinds) - {"refused"}
    if wrong or unknown:
        raise _bad("reply.meta", f"exactly {', '.join(kinds)}", sorted(meta))
    if meta["schema"] != SCHEMA:
        raise _bad("reply.meta.schema", str(SCHEMA), meta["schema"])
    client = str(meta["client"])
    if not 0 < len(client) <= 128 or not client.isprintable():
        raise _bad("reply.meta.client", "1 to 128 printable characters", f"{len(client)} of them")
    if "refused" in meta:
        raise _bad(f"client {client}", "a set", f"a refusal ({str(meta['refused'])[:80]})")
    seconds = metrics.get("seconds")
    if not isinstance(seconds, int | float) or not 0 <= seconds <= MAX_SECONDS:
        raise _bad("reply.metrics.seconds", f"a number from 0 to {MAX_SECONDS:g}", seconds)
    return Envelope(
        client=client,
        nonce=str(meta["nonce"]),
        round=int(meta["round"]),  # type: ignore[arg-type]
        seconds=float(seconds),
    )


def to_array_record(arrays: Mapping[str, np.ndarray]) -> ArrayRecord:
    """Return named numpy arrays as a record."""
    return ArrayRecord({name: Array(np.ascontiguousarray(a)) for name, a in arrays.items()})


def to_numpy(record: ArrayRecord, *, max_bytes: int) -> dict[str, np.ndarray]:
    """Return a record's arrays, refusing more than `max_bytes` before anything is decoded.

    Raises
    ------
    WireError
        If the record is too large, or an array is not plain NPY of the size its header says.
    """
    total = sum(len(array.data) for array in record.values())
    if total > max_bytes:
        raise _bad("reply.arrays", f"at most {max_bytes} bytes", f"{total} bytes")
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
        raise _bad(f"reply.arrays.{name[:40]}", "plain NPY", str(error)[:120]) from error


def set_record(part: SyntheticSet, codec: Codec) -> ArrayRecord:
    """Return a set, encoded, as a record."""
    return to_array_record(codec.encode(part))


def read_set(
    record: ArrayRecord, codec: Codec, plan: Plan, *, max_bytes: int, max_rows: int
) -> SyntheticSet:
    """Return the set in a reply.

    Raises
    ------
    WireError
        If it is too large, malformed, or does not fit the plan.
    """
    arrays = to_numpy(record, max_bytes=max_bytes)
    part = codec.decode(arrays, feature_shape=plan.feature_shape, num_classes=len(plan.classes))
    if len(part) > max_rows:
        raise _bad("reply.arrays", f"at most {max_rows} rows", len(part))
    return part


def _bad(what: str, expected: str, got: object) -> WireError:
    return WireError(what, expected=expected, got=got, remedy="The reply is dropped.")
