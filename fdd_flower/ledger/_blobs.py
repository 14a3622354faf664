"""Sets, sketches and refused payloads as files, each under the hash of its content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from torch import Tensor

from fdd_flower.device import on_host
from fdd_flower.errors import FddError
from fdd_flower.ledger.entry import REJECTED, damaged, is_hash
from fdd_flower.run_folder.files import sync_folder, write_atomic, write_part
from fdd_flower.run_folder.tensor_file import pack, unpack
from fdd_flower.synthetic_set import SyntheticSet

_PARTS = ("inputs", "targets", "weights")
_BESIDE = "beside/"  # begins the names of what is beside them

Kept = SyntheticSet | Mapping[str, Tensor]


def content_hash(kept: Kept) -> str:
    """Return the SHA-256 of what the mathematics reads of a set or a sketch, in hexadecimal.

    Of a set over inputs, targets and weights in this order, and what is `beside` them in the order
    of its names, each after `beside/`; of a sketch over its arrays by name: each as the line
    `<name> <type> <shape>` with the shape's numbers joined by `x`, then its values: little-endian,
    row by row. `meta` is free text of the client and no part of it.
    """
    digest = hashlib.sha256()
    for name, tensor in _tensors(kept).items():
        values = on_host(tensor.detach()).numpy()
        shape = "x".join(str(size) for size in values.shape)
        digest.update(f"{name} {values.dtype.name} {shape}\n".encode())
        digest.update(np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"))).tobytes())
    return digest.hexdigest()


def _tensors(kept: Kept) -> dict[str, Tensor]:
    if isinstance(kept, SyntheticSet):
        beside = {f"{_BESIDE}{name}": kept.beside[name] for name in sorted(kept.beside)}
        return {name: getattr(kept, name) for name in _PARTS} | beside
    return {name: kept[name] for name in sorted(kept)}


def stage_set(folder: Path, kept: Kept, sha256: str) -> Path:
    """Write `kept` beside the place that its hash gives it, and return where.

    No reader finds it before the disk has it and it is renamed. A copy that is in the place is
    then replaced by the same bytes, which mends a damaged one.
    """
    return write_part(set_file(folder, sha256), pack(_tensors(kept)))


def keep_payload(folder: Path, content: bytes) -> str:
    """Write the bytes of a refused reply apart from the sets, and return their hash."""
    sha256 = hashlib.sha256(content).hexdigest()
    path = payload_file(folder, sha256)
    if not path.parent.is_dir():
        path.parent.mkdir()
        sync_folder(folder)
    write_atomic(path, content)
    return sha256


def load_set(folder: Path, sha256: str) -> SyntheticSet:
    """Return the accepted set with this content hash; its `meta` is empty.

    Raises
    ------
    DataError
        If there is none, or what is there is not what was accepted.
    """
    found = load(folder, sha256)
    if not isinstance(found, SyntheticSet):
        raise damaged(str(set_file(folder, sha256)), "a synthetic set", ", ".join(sorted(found)))
    return found


def load(folder: Path, sha256: str) -> Kept:
    """Return the accepted set, or the arrays of the accepted sketch, with this content hash.

    Raises
    ------
    DataError
        If there is none, or what is there is not what was accepted.
    """
    if not is_hash(sha256):
        raise damaged("content hash", "64 hexadecimal digits", repr(sha256))
    blob = set_file(folder, sha256)
    found: Kept
    found, _ = unpack(blob)
    try:
        if set(_PARTS) & set(found) == set(_PARTS):
            found = SyntheticSet(
                inputs=found["inputs"],
                targets=found["targets"],
                weights=found["weights"],
                beside={n.removeprefix(_BESIDE): t for n, t in found.items() if n not in _PARTS},
            )
    except FddError as error:
        raise damaged(str(blob), "a synthetic set", error) from error
    actual = content_hash(found)
    if actual != sha256:
        raise damaged(str(blob), "content that has the hash in its name", actual)
    return found


def load_payload(folder: Path, sha256: str) -> bytes:
    """Return a refused reply's bytes.

    Raises
    ------
    DataError
        If the file is missing, or holds something else.
    """
    path = payload_file(folder, sha256)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise damaged(str(path), "the bytes of a refused reply", error.strerror) from error
    if (actual := hashlib.sha256(content).hexdigest()) != sha256:
        raise damaged(str(path), "content that has the hash in its name", actual)
    return content


def set_file(folder: Path, sha256: str) -> Path:
    """Return where the set with this content hash is."""
    return folder / f"{sha256}.safetensors"


def payload_file(folder: Path, sha256: str) -> Path:
    """Return where the refused bytes with this hash are."""
    return folder / REJECTED / f"{sha256}.bin"
