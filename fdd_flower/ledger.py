"""Which replies a run took, from whom, and why it refused the others; the sets themselves too.

A set is kept under the hash of its content, and before it is used: what a run built on can be
looked at, checked, and built again without one of the clients.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import get_type_hints

import numpy as np

from fdd_flower.errors import DataError, FddError
from fdd_flower.report.files import append_line, write_atomic
from fdd_flower.report.tensor_file import pack, unpack
from fdd_flower.synthetic_set import SyntheticSet

INDEX = "index.jsonl"
ACCEPTED = "accepted"
REJECTED = "rejected"

_PARTS = ("inputs", "targets", "weights")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the index: what became of one reply.

    Attributes
    ----------
    round, client, plan
        When, from whom, and in answer to what.
    verdict
        "accepted" or "rejected".
    reason
        Why it was rejected; empty when it was not.
    sha256
        Content hash of the accepted set, by which `Ledger.load` finds it; empty when rejected.
    bytes
        Payload of the reply on the wire.
    """

    round: int
    client: str
    plan: str
    verdict: str
    reason: str
    sha256: str
    bytes: int


def content_hash(set_: SyntheticSet) -> str:
    """Return the SHA-256 of what the mathematics reads of `set_`, in hexadecimal.

    Over inputs, targets and weights in this order, each as the line `<name> float32 <shape>`
    with the shape's numbers joined by `x`, then its values: little-endian, row by row. `meta`
    is free text of the client and no part of it.
    """
    digest = hashlib.sha256()
    for name in _PARTS:
        values = getattr(set_, name).detach().cpu().numpy().astype("<f4")
        shape = "x".join(str(size) for size in values.shape)
        digest.update(f"{name} float32 {shape}\n".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


class Ledger:
    """The ledger in the folder `path`, which is made when the first line is written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def record(
        self, set_: SyntheticSet, *, client: str, round: int, plan: str, num_bytes: int
    ) -> str:
        """Keep an accepted set, and return its content hash; call this before using the set."""
        sha256 = content_hash(set_)
        self.path.mkdir(parents=True, exist_ok=True)
        # first the set, then the line that points to it; a copy that is there is written
        # again, with the same bytes, which mends a damaged one
        content = pack({name: getattr(set_, name) for name in _PARTS})
        write_atomic(self._blob(sha256), content)
        self._append(
            Entry(
                round=round,
                client=client,
                plan=plan,
                verdict=ACCEPTED,
                reason="",
                sha256=sha256,
                bytes=num_bytes,
            )
        )
        return sha256

    def reject(self, *, client: str, round: int, plan: str, reason: str, num_bytes: int) -> None:
        """Note a reply that was refused; its content is not kept."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._append(
            Entry(
                round=round,
                client=client,
                plan=plan,
                verdict=REJECTED,
                reason=reason,
                sha256="",
                bytes=num_bytes,
            )
        )

    def entries(self) -> list[Entry]:
        """Return what became of each reply, in the order they were judged.

        Raises
        ------
        DataError
            If a line of the index is broken; it names the line.
        """
        index = self.path / INDEX
        if not index.exists():
            return []
        lines = index.read_bytes().splitlines()
        return [_entry(line, f"{index}, line {at}") for at, line in enumerate(lines, start=1)]

    def load(self, sha256: str) -> SyntheticSet:
        """Return the accepted set with this content hash; its `meta` is empty.

        Raises
        ------
        DataError
            If there is none, or what is there is not what was accepted.
        """
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise _damaged("content hash", "64 hexadecimal digits", repr(sha256))
        blob = self._blob(sha256)
        tensors, _ = unpack(blob)
        try:
            found = SyntheticSet(
                inputs=tensors["inputs"], targets=tensors["targets"], weights=tensors["weights"]
            )
        except (KeyError, FddError) as error:
            raise _damaged(str(blob), "a synthetic set", error) from error
        actual = content_hash(found)
        if actual != sha256:
            raise _damaged(str(blob), "content that has the hash in its name", actual)
        return found

    def _blob(self, sha256: str) -> Path:
        return self.path / f"{sha256}.safetensors"

    def _append(self, entry: Entry) -> None:
        append_line(self.path / INDEX, json.dumps(asdict(entry)))


def _entry(line: bytes, where: str) -> Entry:
    hints = get_type_hints(Entry)
    try:
        found = json.loads(line)
        values = {item.name: found[item.name] for item in fields(Entry)}
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(where, "a JSON object with every key", repr(error)) from error
    for name, value in values.items():
        if type(value) is not hints[name]:
            raise _damaged(f"{where}, key {name!r}", hints[name].__name__, repr(value)[:80])
    return Entry(**values)


def _damaged(what: str, expected: str, got: object) -> DataError:
    return DataError(
        what,
        expected=expected,
        got=got,
        remedy="The ledger was edited or damaged; restore it from a copy, or run again.",
    )
