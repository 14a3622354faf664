"""Seeded damage to honest payloads: bits, bytes, cuts, splices, arrays of nonsense."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from flwr.app import Array, ArrayRecord, RecordDict
from flwr.common.serde import recorddict_from_proto
from flwr.proto.recorddict_pb2 import RecordDict as Proto

from fdd_flower.wire.records import reply, to_bytes
from tests.attacks.malformed_sets import npy
from tests.attacks.scene import LIAR, SHAPE, config, envelope, honest_set, record
from tests.wire.test_image_codecs import parts, whole

CODECS = ("float32", "float16", "uint8", "webp", "avif", "series")
SHAPES = (SHAPE, (3, 8, 8), (5,))

Damage = Callable[[bytes, np.random.Generator], bytes]


def flip_bits(data: bytes, rng: np.random.Generator) -> bytes:
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        out[rng.integers(len(out))] ^= 1 << int(rng.integers(8))
    return bytes(out)


def overwrite(data: bytes, rng: np.random.Generator) -> bytes:
    start, size = int(rng.integers(len(data))), int(rng.integers(1, 33))
    return data[:start] + rng.bytes(min(size, len(data) - start)) + data[start + size :]


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(len(data)))]


def drop(data: bytes, rng: np.random.Generator) -> bytes:
    start, end = sorted(int(x) for x in rng.integers(len(data) + 1, size=2))
    return data[:start] + data[end:]


def repeat(data: bytes, rng: np.random.Generator) -> bytes:
    start, end = sorted(int(x) for x in rng.integers(len(data) + 1, size=2))
    return data[:end] + data[start:]


def append(data: bytes, rng: np.random.Generator) -> bytes:
    return data + rng.bytes(int(rng.integers(1, 64)))


def extremes(data: bytes, rng: np.random.Generator) -> bytes:
    """Write a number that programs stumble over."""
    word = rng.choice(
        [
            b"\xff" * 4,
            b"\0" * 4,
            b"\x7f\xff\xff\xff",
            struct.pack("<f", np.nan),
            struct.pack("<f", np.inf),
            struct.pack("<f", 3e38),
            struct.pack("<f", 1e-42),
            struct.pack("<I", 2**31),
            struct.pack("<I", 65_536),
        ]
    )
    start = int(rng.integers(len(data)))
    return data[:start] + bytes(word) + data[start + 4 :]


DAMAGES: tuple[Damage, ...] = (flip_bits, overwrite, cut, drop, repeat, append, extremes)


@dataclass(frozen=True, slots=True)
class Case:
    """One fuzzed reply."""

    codec: str
    shape: tuple[int, ...]
    content: RecordDict


def cases(count: int, seed: int = 0) -> Iterator[Case]:
    """Yield fuzzed replies, in turn over codecs, shapes and places of the damage."""
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        codec = CODECS[number % len(CODECS)]
        shape = SHAPES[number // len(CODECS) % len(SHAPES)]
        content = honest_set(LIAR, config(codec), shape=shape)
        yield Case(codec, shape, PLACES[int(rng.integers(len(PLACES)))](content, rng))


def _damaged(data: bytes, rng: np.random.Generator) -> bytes:
    for _ in range(int(rng.integers(1, 4))):
        data = DAMAGES[int(rng.integers(len(DAMAGES)))](data, rng) or b"\0"
    return data


def in_file(content: RecordDict, rng: np.random.Generator) -> RecordDict:
    """Damage the NPY file of an array."""
    name = str(rng.choice(sorted(record(content))))
    array = record(content)[name]
    record(content)[name] = Array(
        dtype=array.dtype, shape=array.shape, stype=array.stype, data=_damaged(array.data, rng)
    )
    return content


def in_values(content: RecordDict, rng: np.random.Generator) -> RecordDict:
    """Damage the values of an array and leave its NPY header whole."""
    name = str(rng.choice(sorted(record(content))))
    old = record(content)[name].numpy()
    raw = _damaged(old.tobytes(), rng)
    if name != "payload":  # of a payload any length is an array
        raw = (raw + bytes(old.nbytes))[: old.nbytes]
    shape = old.shape if name != "payload" else (-1,)
    record(content)[name] = Array(np.frombuffer(raw, old.dtype).reshape(shape).copy())
    return content


def in_parts(content: RecordDict, rng: np.random.Generator) -> RecordDict:
    """Damage what an image codec's payload holds, and close it again as if it were honest."""
    if set(record(content)) != {"payload"}:
        return in_values(content, rng)
    fields, book, streams = parts(record(content)["payload"].numpy().tobytes())
    if rng.random() < 0.5:
        at = int(rng.integers(len(streams)))
        streams[at] = _damaged(streams[at], rng)
        if len(streams) == 1 and rng.random() < 0.5:  # of a table: values under zlib
            streams[0] = zlib.compress(rng.bytes(int(rng.integers(200))))
    else:
        book = bytearray((_damaged(bytes(book), rng) + bytes(len(book)))[: len(book)])
    data = whole(fields, book, streams)
    record(content)["payload"] = Array(np.frombuffer(data, np.uint8).copy())
    return content


def another_array(content: RecordDict, rng: np.random.Generator) -> RecordDict:
    """Put an array of nonsense in the place of one."""
    dtype = rng.choice(["f4", "f2", "u1", "f8", "i8", "c8", "?", "S3", "U2", ">f4", "M8[s]"])
    shape = tuple(int(x) for x in rng.integers(0, 6, size=int(rng.integers(0, 5))))
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    noise = np.frombuffer(rng.bytes(size), dtype) if size else np.zeros(0, dtype)
    values = noise.reshape(shape)
    name = str(rng.choice([*sorted(record(content)), "extra"]))
    array = Array(np.zeros(1, np.float32))
    record(content)[name] = Array(
        dtype=str(values.dtype), shape=shape, stype=array.stype, data=npy(values)
    )
    return content


def nonsense_rows(content: RecordDict, rng: np.random.Generator) -> RecordDict:
    """Fill every array with noise of the right kind."""
    for name, array in list(record(content).items()):
        old = array.numpy()
        values = np.frombuffer(rng.bytes(old.nbytes), old.dtype).reshape(old.shape)
        record(content)[name] = Array(values.copy())
    return content


def spliced(content: RecordDict, rng: np.random.Generator) -> RecordDict:
    """Mix the arrays of two codecs."""
    other = record(honest_set(LIAR, config(str(rng.choice(CODECS)))))
    mixed = {**record(content), **other}
    kept = [name for name in mixed if rng.random() < 0.7]
    return reply(ArrayRecord({name: mixed[name] for name in kept}), envelope(LIAR), {})


def in_message(content: RecordDict, rng: np.random.Generator) -> RecordDict:
    """Damage the protobuf of the whole reply; what Flower itself refuses becomes nothing."""
    try:
        return recorddict_from_proto(Proto.FromString(_damaged(to_bytes(content), rng)))
    except Exception:  # not ours to judge: Flower's own layer drops it
        return RecordDict()


PLACES = (
    in_file,
    in_values,
    in_values,
    in_parts,
    in_parts,
    another_array,
    nonsense_rows,
    spliced,
    in_message,
)
