"""A distilled set as it would be sent: encoded arrays, counted, kept in one file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from fdd_flower.bench.distil.whole_set import Clients
from fdd_flower.config import CodecConfig
from fdd_flower.device import on_host
from fdd_flower.distillers.parts.packing import Packing
from fdd_flower.errors import DataError
from fdd_flower.run_folder.files import write_atomic
from fdd_flower.synthetic_set import SyntheticSet, concatenate
from fdd_flower.wire.codecs.base import CODECS
from fdd_flower.wire.resolution import WHOLE

Arrays = Mapping[str, np.ndarray]


def npy_bytes(arrays: Arrays) -> int:
    """Return the bytes of `arrays` as NPY, as a message carries them: headers and labels too."""
    total = 0
    for array in arrays.values():
        stream = BytesIO()
        np.save(stream, array, allow_pickle=False)
        total += len(stream.getvalue())
    return total


def tensor_bytes(tensors: Mapping[str, Tensor]) -> int:
    """Return the bytes of `tensors` as NPY."""
    return npy_bytes({name: on_host(tensor).numpy() for name, tensor in tensors.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a distillation sent, and what it cost.

    Attributes
    ----------
    parts
        Encoded arrays, one per client: one in all, or one per class.
    codec, resolution
        What they were encoded with.
    packing
        How its rows hold images.
    seconds
        Of the whole distillation, from records in memory to a set: without the encoding, and
        without what torch imports at its first step.
    peak_mb
        The most memory its process held, in 10**6 bytes, interpreter and libraries included.
    base_mb
        What the same process had held before it began, records included.
    ipc
        Rows a class that were asked for.
    withheld
        Classes left out as too small.
    meta
        The set's own notes.
    clients
        What was encoded; only in the process that made it.
    """

    parts: Sequence[Arrays]
    codec: CodecConfig
    packing: Packing
    seconds: float
    peak_mb: float
    base_mb: float
    ipc: int
    withheld: tuple[str, ...] = ()
    meta: Mapping[str, str] = field(default_factory=dict)
    clients: Clients | None = None
    resolution: int = WHOLE

    @property
    def bytes(self) -> int:
        """What all messages together take."""
        return sum(npy_bytes(part) for part in self.parts)

    @property
    def digest(self) -> str:
        """A name for what is sent: equal sets have equal ones."""
        found = hashlib.sha256(repr((self.packing, self.codec.name)).encode())
        for part in self.parts:
            for name in sorted(part):
                found.update(name.encode())
                found.update(part[name].tobytes())
        return found.hexdigest()[:16]

    def decode(self, *, feature_shape: tuple[int, ...], num_classes: int) -> SyntheticSet:
        """Return the set as its receiver has it: decoded, unpacked and joined."""
        codec = CODECS.get(self.codec.name)(self.codec)
        sets = [
            codec.decode(part, feature_shape=feature_shape, num_classes=num_classes)
            for part in self.parts
        ]
        joined = concatenate([self.packing.unpack(part) for part in sets])
        return replace(joined, meta=dict(self.meta))

    def to_bytes(self) -> bytes:
        """Return the bytes of an NPZ file that `load_made` reads."""
        facts = {
            "codec": {
                "name": self.codec.name,
                "quality": self.codec.quality,
                "resolution": self.resolution,
            },
            "packing": {"factor": self.packing.factor, "basis": self.packing.basis},
            "seconds": self.seconds,
            "peak_mb": self.peak_mb,
            "base_mb": self.base_mb,
            "ipc": self.ipc,
            "withheld": list(self.withheld),
            "meta": dict(self.meta),
            "parts": len(self.parts),
        }
        arrays: dict[str, Any] = {"facts": np.array(json.dumps(facts))}
        for i, part in enumerate(self.parts):
            arrays |= {f"{i}/{name}": array for name, array in part.items()}
        stream = BytesIO()
        np.savez(stream, **arrays)
        return stream.getvalue()

    def save(self, path: Path) -> None:
        """Write the file whole or not at all."""
        write_atomic(path, self.to_bytes())


def load_made(path: Path) -> Made:
    """Read what `Made.save` wrote.

    Raises
    ------
    DataError
        If the file is missing or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            facts = json.loads(str(file["facts"]))
            parts: list[dict[str, np.ndarray]] = [{} for _ in range(facts.pop("parts"))]
            for key in file.files:
                number, _, name = key.partition("/")
                if name:
                    parts[int(number)][name] = file[key]
        codec = facts.pop("codec")
        resolution = codec.pop("resolution")
        packing = Packing(**facts.pop("packing"))
        withheld = tuple(facts.pop("withheld"))
        return Made(
            parts=parts,
            codec=CodecConfig(**codec),
            resolution=resolution,
            packing=packing,
            withheld=withheld,
            **facts,
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise DataError(
            str(path),
            expected="a set that the bench wrote",
            got=f"{type(error).__name__}: {error}",
            remedy="Remove the file; it is then made again.",
        ) from error
