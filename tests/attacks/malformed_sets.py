"""Replies that no honest client sends, each a small change of one that it does."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, MetricRecord, RecordDict
from PIL import Image

from fdd_flower.config import CodecConfig
from fdd_flower.wire.codecs import _payload
from fdd_flower.wire.codecs.base import CODECS
from fdd_flower.wire.records import ARRAYS, META, METRICS, refusal, reply, set_record
from fdd_flower.wire.refusals import Code
from tests.attacks.scene import (
    IPC,
    LIAR,
    SHAPE,
    Change,
    config,
    envelope,
    honest_set,
    meta,
    metrics,
    part,
    record,
)
from tests.wire.test_image_codecs import frame, head, parts, whole, written

TABLE = (5,)


@dataclass(frozen=True, slots=True)
class Attack:
    """A change of an honest reply, the codec that it is for, and the code that it must get."""

    change: Change
    code: Code
    codec: str = "float32"
    shape: tuple[int, ...] = SHAPE


ATTACKS: dict[str, Attack] = {}


def attack(code: Code, codec: str = "float32", **more: Any) -> Callable[[Change], Change]:
    """File a function as the attack of its name."""

    def file(change: Change) -> Change:
        name = change.__name__.replace("_", "-")  # type: ignore[attr-defined]
        add(name, code, change, codec, **more)
        return change

    return file


def add(name: str, code: Code, change: Change, codec: str = "float32", **more: Any) -> None:
    """File an attack."""
    assert name not in ATTACKS
    ATTACKS[name] = Attack(change, code, codec, **more)


# --- the reply as a whole ------------------------------------------------------------------


@attack(Code.CLIENT_ERROR)
def error_reply(content: RecordDict) -> Error:
    return Error(0, "boom \x1b[31m\n[fdd] error: forged line")


@attack(Code.ENVELOPE)
def nothing_at_all(content: RecordDict) -> RecordDict:
    return RecordDict()


@attack(Code.EMPTY)
def envelope_without_arrays(content: RecordDict) -> RecordDict:
    return reply(ArrayRecord(), envelope(LIAR), {})


@attack(Code.REFUSED)
def refusal_with_a_reason(content: RecordDict) -> RecordDict:
    return refusal("DistillError", envelope(LIAR))


@attack(Code.REFUSED)
def refusal_with_a_set(content: RecordDict) -> RecordDict:
    meta(content)["refused"] = "x" * 5000
    return content


@attack(Code.ENVELOPE)
def no_metrics(content: RecordDict) -> RecordDict:
    del content[METRICS]
    return content


@attack(Code.ENVELOPE)
def one_record_more(content: RecordDict) -> RecordDict:
    content["model"] = ArrayRecord()
    return content


@attack(Code.ENVELOPE)
def ten_thousand_records_more(content: RecordDict) -> RecordDict:
    for number in range(1000):
        content[f"{number}-" + "x" * 50] = MetricRecord()
    return content


@attack(Code.ENVELOPE)
def meta_is_metrics(content: RecordDict) -> RecordDict:
    content[META] = MetricRecord({"round": 1})
    return content


@attack(Code.ENVELOPE)
def arrays_are_settings(content: RecordDict) -> RecordDict:
    content[ARRAYS] = ConfigRecord({"inputs": b"bytes"})
    return content


@attack(Code.TOO_LARGE)
def a_megabyte_of_arrays(content: RecordDict) -> RecordDict:
    record(content)["inputs"] = Array(np.zeros(2**18, np.float32))
    return content


@attack(Code.TOO_LARGE)
def a_megabyte_beside_the_arrays(content: RecordDict) -> RecordDict:
    meta(content)["x-note"] = b"\0" * 2**20
    return content


@attack(Code.TOO_LARGE)
def a_megabyte_of_numbers(content: RecordDict) -> RecordDict:
    metrics(content)["seconds"] = [0.5] * 2**17
    return content


# --- the envelope --------------------------------------------------------------------------


def with_meta(key: str, value: Any) -> Change:
    def change(content: RecordDict) -> RecordDict:
        meta(content)[key] = value
        return content

    return change


def without_meta(key: str) -> Change:
    def change(content: RecordDict) -> RecordDict:
        del meta(content)[key]
        return content

    return change


def with_metric(key: str, value: Any) -> Change:
    def change(content: RecordDict) -> RecordDict:
        metrics(content)[key] = value
        return content

    return change


add("schema-missing", Code.SCHEMA, without_meta("schema"))
add("schema-newer", Code.SCHEMA, with_meta("schema", 2))
add("schema-zero", Code.SCHEMA, with_meta("schema", 0))
add("schema-text", Code.SCHEMA, with_meta("schema", "1"))
add("schema-true", Code.SCHEMA, with_meta("schema", True))
add("schema-minor-negative", Code.SCHEMA, with_meta("schema-minor", -1))
add("schema-minor-text", Code.SCHEMA, with_meta("schema-minor", "0"))
add("client-missing", Code.ENVELOPE, without_meta("client"))
add("client-a-number", Code.ENVELOPE, with_meta("client", 1))
add("client-empty", Code.CLIENT_KEY, with_meta("client", ""))
add("client-of-ten-kilobytes", Code.CLIENT_KEY, with_meta("client", "k" * 10_000))
add("client-with-a-line-break", Code.CLIENT_KEY, with_meta("client", "1\n[fdd] accuracy 1.0"))
add("client-with-a-terminal-code", Code.CLIENT_KEY, with_meta("client", "\x1b[2J"))
add("client-with-a-null", Code.CLIENT_KEY, with_meta("client", "1\0"))
add("client-in-full-width", Code.CLIENT_KEY, with_meta("client", "\N{FULLWIDTH DIGIT THREE}"))
add("client-with-a-hidden-letter", Code.CLIENT_KEY, with_meta("client", "3\N{ZERO WIDTH SPACE}"))
add(
    "client-written-backwards", Code.CLIENT_KEY, with_meta("client", "\N{RIGHT-TO-LEFT OVERRIDE}01")
)
add("client-with-a-space", Code.CLIENT_KEY, with_meta("client", " 3"))
add("nonce-of-another-run", Code.WRONG_RUN, with_meta("nonce", "f" * 16))
add("nonce-empty", Code.WRONG_RUN, with_meta("nonce", ""))
add("nonce-missing", Code.ENVELOPE, without_meta("nonce"))
add("nonce-bytes", Code.ENVELOPE, with_meta("nonce", b"0123456789abcdef"))
add("round-later", Code.STALE_ROUND, with_meta("round", 2))
add("round-zero", Code.STALE_ROUND, with_meta("round", 0))
add("round-negative", Code.STALE_ROUND, with_meta("round", -(2**63)))
add("round-a-float", Code.ENVELOPE, with_meta("round", 1.0))
add("round-true", Code.ENVELOPE, with_meta("round", True))
add("meta-key-unknown", Code.ENVELOPE, with_meta("accuracy", 1.0))
add("meta-value-a-list", Code.ENVELOPE, with_meta("client", ["1"]))
add("metrics-key-unknown", Code.ENVELOPE, with_metric("weight", 1e9))
add("seconds-nan", Code.ENVELOPE, with_metric("seconds", float("nan")))
add("seconds-infinite", Code.ENVELOPE, with_metric("seconds", float("inf")))
add("seconds-negative", Code.ENVELOPE, with_metric("seconds", -1.0))
add("seconds-of-a-century", Code.ENVELOPE, with_metric("seconds", 3.2e9))
add("seconds-a-list", Code.ENVELOPE, with_metric("seconds", [0.5]))


# --- NPY files -----------------------------------------------------------------------------


def npy(array: np.ndarray) -> bytes:
    """Return an array as an NPY file, pickled where it holds objects."""
    stream = BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def with_bytes(name: str, change: Callable[[bytes], bytes]) -> Change:
    """Put other bytes under an unchanged header of Flower's."""

    def changed(content: RecordDict) -> RecordDict:
        array = record(content)[name]
        record(content)[name] = Array(
            dtype=array.dtype, shape=array.shape, stype=array.stype, data=change(array.data)
        )
        return content

    return changed


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('a pickle was loaded')",))


def forged(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        assert old in data
        assert len(old) == len(new)
        return data.replace(old, new, 1)

    return change


add("npy-empty", Code.UNDECODABLE, with_bytes("inputs", lambda d: b""))
add("npy-text", Code.UNDECODABLE, with_bytes("inputs", lambda d: b"inputs, please"))
add("npy-zip", Code.UNDECODABLE, with_bytes("inputs", lambda d: b"PK\x03\x04" + d))
add("npy-truncated", Code.UNDECODABLE, with_bytes("inputs", lambda d: d[:-3]))
add("npy-header-only", Code.UNDECODABLE, with_bytes("inputs", lambda d: d[:128]))
add("npy-trailing-bytes", Code.UNDECODABLE, with_bytes("weights", lambda d: d + b"tail"))
add("npy-twice", Code.UNDECODABLE, with_bytes("weights", lambda d: d + d))
add("npy-version-9", Code.UNDECODABLE, with_bytes("inputs", lambda d: d[:6] + b"\x09" + d[7:]))
add(
    "npy-promises-terabytes",
    Code.UNDECODABLE,
    with_bytes("weights", forged(b"(12,), }         ", b"(9999999999999,)}")),
)
add("npy-negative-axis", Code.UNDECODABLE, with_bytes("weights", forged(b"(12,)", b"(-1,)")))
add("npy-code-for-a-shape", Code.UNDECODABLE, with_bytes("weights", forged(b"(12,)", b"id(0)")))
add(
    "npy-pickled-object",
    Code.UNDECODABLE,
    with_bytes("inputs", lambda d: npy(np.array([_Evil()], object))),
)
add("npy-pickle", Code.UNDECODABLE, with_bytes("inputs", lambda d: b"\x80\x04K\x01."))
add("flower-header-lies", Code.DTYPE, with_bytes("inputs", lambda d: npy(np.zeros((12, 1, 4, 8)))))
add(
    "npy-fortran-order",
    Code.SHAPE,
    with_bytes("inputs", lambda d: npy(np.ones((12, *SHAPE), "f4", order="F"))),
)
add("npy-structured", Code.DTYPE, with_bytes("weights", lambda d: npy(np.zeros(12, [("a", "f4")]))))


# --- arrays --------------------------------------------------------------------------------


def with_array(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Put another array in the place of one."""

    def changed(content: RecordDict) -> RecordDict:
        values = record(content)[name].numpy().copy()
        record(content)[name] = Array(np.ascontiguousarray(change(values)))
        return content

    return changed


def with_value(name: str, place: tuple[int, ...], value: float) -> Change:
    """Put another value in one place of an array."""

    def change(values: np.ndarray) -> np.ndarray:
        values[place] = value
        return values

    return with_array(name, change)


def with_rows(change: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Do the same to every array."""

    def changed(content: RecordDict) -> RecordDict:
        for name in list(record(content)):
            content = with_array(name, change)(content)  # type: ignore[assignment]
        return content

    return changed


@attack(Code.ARRAYS)
def array_extra(content: RecordDict) -> RecordDict:
    record(content)["extra"] = Array(np.zeros(1, np.float32))
    return content


@attack(Code.ARRAYS)
def array_missing(content: RecordDict) -> RecordDict:
    del record(content)["targets"]
    return content


@attack(Code.ARRAYS)
def array_named_otherwise(content: RecordDict) -> RecordDict:
    arrays = record(content)
    arrays["Inputs"] = arrays.pop("inputs")
    return content


@attack(Code.ARRAYS)
def array_of_a_long_name(content: RecordDict) -> RecordDict:
    record(content)["x" * 20_000] = Array(np.zeros(1, np.float32))
    return content


@attack(Code.ARRAYS)
def set_of_another_codec(content: RecordDict) -> RecordDict:
    return honest_set(LIAR, config("uint8"))


for name in ("inputs", "targets", "weights"):
    for kind in ("float16", "int32", "bool", "complex64", ">f4"):
        label = kind.replace(">", "big-endian-")
        add(f"{name}-{label}", Code.DTYPE, with_array(name, partial(np.asarray, dtype=kind)))
    add(
        f"{name}-flat",
        Code.SHAPE,
        with_array(name, lambda x: x.reshape(-1) if x.ndim > 1 else x[:, None]),
    )
    add(f"{name}-one-row-less", Code.SHAPE, with_array(name, lambda x: x[:-1]))
    add(f"{name}-nan", Code.NOT_FINITE, with_array(name, lambda x: np.full_like(x, np.nan)))
    for label, value in (("infinite", np.inf), ("minus-infinite", -np.inf)):
        place = (3,) if name == "weights" else (3, 0)
        add(f"{name}-{label}", Code.NOT_FINITE, with_value(name, place, value))
add("inputs-transposed", Code.SHAPE, with_array("inputs", lambda x: x.transpose(1, 0, 2, 3)))
add("inputs-of-another-side", Code.SHAPE, with_array("inputs", lambda x: x.reshape(12, 1, 4, 16)))
add("inputs-out-of-range", Code.RANGE, with_value("inputs", (0, 0, 0, 0), 1.1e4))
add("inputs-out-of-range-below", Code.RANGE, with_value("inputs", (0, 0, 0, 0), -3e38))
add("targets-of-a-class-more", Code.SHAPE, with_array("targets", lambda x: np.hstack([x, 0 * x])))
add("targets-of-a-class-less", Code.SHAPE, with_array("targets", lambda x: x[:, :2]))
add("labels-sum-to-2", Code.LABELS, with_array("targets", lambda x: 2 * x))
add("labels-sum-to-0", Code.LABELS, with_array("targets", lambda x: 0 * x))
add(
    "label-negative",
    Code.LABELS,
    with_array("targets", lambda x: np.where(x > 0, 1.5, -0.25).astype("f4")),
)
add("label-huge", Code.LABELS, with_value("targets", (0, 0), 3e38))
add("weight-zero", Code.WEIGHTS, with_value("weights", (0,), 0.0))
add("weight-negative", Code.WEIGHTS, with_value("weights", (0,), -9.0))
add("weight-huge", Code.WEIGHTS, with_value("weights", (0,), 2e9))
add("weight-denormal", Code.WEIGHTS, with_value("weights", (0,), 1e-40))
add("rows-none", Code.EMPTY, with_rows(lambda x: x[:0]))
add("rows-too-many", Code.TOO_MANY_ROWS, with_rows(lambda x: np.concatenate([x, x[:1]])))
add(
    "rows-of-one-class-over-quota",
    Code.QUOTA,
    with_rows(
        lambda x: (
            np.concatenate([x[:5], x[6:]])
            if x.ndim == 1
            else np.concatenate([x[:IPC], x[:1], x[IPC + 2 :]])
        )
    ),
)


@attack(Code.DUPLICATE_SET)
def copy_of_another_set(content: RecordDict) -> RecordDict:
    return reply(record(honest_set("0", config())), envelope(LIAR), {})


# --- float16 and uint8 ---------------------------------------------------------------------

add("float16-nan", Code.NOT_FINITE, with_value("inputs", (0, 0, 0, 0), np.nan), "float16")
add("float16-out-of-range", Code.RANGE, with_value("inputs", (0, 0, 0, 0), 6e4), "float16")
add("float16-labels-sum-to-2", Code.LABELS, with_array("targets", lambda x: x * 2), "float16")
add("uint8-labels-sum-to-254", Code.LABELS, with_value("targets", (0, 0), 254), "uint8")
add("uint8-lo-nan", Code.NOT_FINITE, with_value("lo", (0,), np.nan), "uint8")
add("uint8-lo-huge", Code.RANGE, with_value("lo", (0,), 3e38), "uint8")
add("uint8-scale-nan", Code.NOT_FINITE, with_value("scale", (0,), np.nan), "uint8")
add("uint8-scale-infinite", Code.NOT_FINITE, with_value("scale", (0,), np.inf), "uint8")
add("uint8-scale-zero", Code.RANGE, with_value("scale", (0,), 0.0), "uint8")
add("uint8-highest-below-lowest", Code.RANGE, with_value("scale", (0,), -0.1), "uint8")
add("uint8-scale-huge", Code.RANGE, with_value("scale", (0,), 3e38), "uint8")
add("uint8-range-a-channel-more", Code.SHAPE, with_array("lo", lambda x: np.append(x, x)), "uint8")
add("uint8-as-float32", Code.DTYPE, with_array("inputs", lambda x: x.astype("f4")), "uint8")


# --- payloads of the image codecs ----------------------------------------------------------


def with_payload(change: Callable[[bytes], bytes]) -> Change:
    """Put other bytes into the one array of an image codec."""

    def changed(content: RecordDict) -> RecordDict:
        data = change(record(content)["payload"].numpy().tobytes())
        record(content)["payload"] = Array(np.frombuffer(data, np.uint8).copy())
        return content

    return changed


def in_header(place: int, value: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        fields = head(data)
        fields[place] = value
        return _payload.HEADER.pack(*fields) + data[_payload.HEADER.size :]

    return change


def in_book(start: int, raw: bytes) -> Callable[[bytes], bytes]:
    """Write `raw` into the bookkeeping: 12 labels, 12 weights, lo, scale, 3 lengths."""

    def change(data: bytes) -> bytes:
        fields, book, streams = parts(data)
        book[start : start + len(raw)] = raw
        return whole(fields, book, streams)

    return change


def in_stream(function: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        fields, book, streams = parts(data)
        return whole(fields, book, [function(streams[0]), *streams[1:]])

    return change


def bomb(data: bytes) -> bytes:
    """Return the payload with bookkeeping of 4 MB: as much as its byte cap lets it hold."""
    fields, _, streams = parts(data)
    packed = zlib.compress(bytes(2**22), 9)
    return _payload.HEADER.pack(*fields[:5], len(packed)) + packed + b"".join(streams)


def values_bomb(data: bytes) -> bytes:
    """Return the payload of a table of 60 values that inflate to 4 MB."""
    return in_stream(lambda s: zlib.compress(bytes(2**22), 9))(data)


def other_codec(name: str) -> Change:
    def changed(content: RecordDict) -> RecordDict:
        codec = CODECS.get(name)(CodecConfig(name=name))
        return reply(set_record(part(LIAR), codec), envelope(LIAR), {})

    return changed


WEIGHTS_AT, LO_AT, SCALE_AT = 12, 60, 64
for name in ("webp", "avif"):

    def image(how: str, code: Code, change: Callable[[bytes], bytes], name: str = name) -> None:
        add(f"{name}-{how}", code, with_payload(change), name)

    image("empty", Code.EMPTY, lambda d: b"")
    image("half-a-header", Code.UNDECODABLE, lambda d: d[:8])
    image("truncated", Code.UNDECODABLE, lambda d: d[:-1])
    image("trailing-bytes", Code.UNDECODABLE, lambda d: d + b"tail")
    image("version-2", Code.SCHEMA, in_header(0, 2))
    image("kind-unknown", Code.UNDECODABLE, in_header(1, 77))
    image("no-rows", Code.EMPTY, in_header(3, 0))
    image("four-billion-rows", Code.TOO_LARGE, in_header(3, 2**32 - 1))
    image("four-billion-streams", Code.UNDECODABLE, in_header(4, 2**32 - 1))
    image("bookkeeping-damaged", Code.UNDECODABLE, lambda d: d[:17] + b"\xff" + d[18:])
    image("bookkeeping-bomb", Code.UNDECODABLE, bomb)
    image("label-for-an-unknown-class", Code.UNKNOWN_CLASS, in_book(0, b"\3"))
    image("one-class-over-quota", Code.UNDECODABLE, in_book(IPC, b"\0"))
    image("weight-nan", Code.NOT_FINITE, in_book(WEIGHTS_AT, struct.pack("<f", np.nan)))
    image("weight-negative", Code.WEIGHTS, in_book(WEIGHTS_AT, struct.pack("<f", -1)))
    image("lo-nan", Code.NOT_FINITE, in_book(LO_AT, struct.pack("<f", np.nan)))
    image("lo-huge", Code.RANGE, in_book(LO_AT, struct.pack("<f", -3e38)))
    image("scale-negative", Code.RANGE, in_book(SCALE_AT, struct.pack("<f", -1)))
    image("scale-huge", Code.RANGE, in_book(SCALE_AT, struct.pack("<f", 3e38)))
    image("stream-empty", Code.UNDECODABLE, in_stream(lambda s: b""))
    image("stream-cut", Code.UNDECODABLE, in_stream(lambda s: s[: len(s) // 2]))
    image(
        "stream-of-noise",
        Code.UNDECODABLE,
        in_stream(lambda s: np.random.default_rng(0).bytes(len(s))),
    )
    image(
        "dimension-bomb",
        Code.UNDECODABLE,
        in_stream(lambda s, name=name: frame(Image.new("L", (1000, 1000)), name)),
    )
    image(
        "a-whole-file",
        Code.UNDECODABLE,
        in_stream(lambda s, name=name: written(Image.new("L", (16, 16)), name)),
    )
    add(
        f"{name}-of-another-codec",
        Code.UNDECODABLE,
        other_codec("avif" if name == "webp" else "webp"),
        name,
    )
    add(
        f"{name}-payload-float32",
        Code.DTYPE,
        with_array("payload", lambda x: x.astype("f4")[:100]),
        name,
    )
    twice = with_array("payload", lambda x: np.stack([x, x]))
    add(f"{name}-payload-twice", Code.SHAPE, twice, name)

add(
    "webp-dimensions-forged",
    Code.UNDECODABLE,
    with_payload(in_stream(lambda s: s[:6] + b"\xff\x3f\xff\x3f" + s[10:])),
    "webp",
)
add("avif-two-frames", Code.UNDECODABLE, with_payload(in_stream(lambda s: s + s)), "avif")
add("table-values-bomb", Code.UNDECODABLE, with_payload(values_bomb), "webp", shape=TABLE)
add(
    "table-values-damaged",
    Code.UNDECODABLE,
    with_payload(lambda d: d[:-1] + b"\xff"),
    "webp",
    shape=TABLE,
)
add(
    "table-one-class-over-quota", Code.QUOTA, with_payload(in_book(IPC, b"\0")), "avif", shape=TABLE
)
