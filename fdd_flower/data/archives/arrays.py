"""The arrays of an archive, and which of them are records and labels of which split."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fdd_flower.data.base import refuse
from fdd_flower.data.images.listing import Part, part_of
from fdd_flower.data.sources.paths import check_inflated

INPUTS = ("x", "images", "image", "imgs", "data", "inputs", "features")
LABELS = ("y", "labels", "label", "targets", "target")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Names of the arrays with the records and the labels of one split."""

    inputs: str
    labels: str


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an archive, by name.

    Raises
    ------
    DataError
        If the file is no archive, is damaged, or holds Python objects.
    """
    try:
        archive = np.load(os.fspath(path), allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise ValueError("a single array")
        with archive:
            check_inflated(path, sum(member.file_size for member in archive.zip.infolist()))
            arrays = {key: archive[key] for key in archive.files}
            for key, array in arrays.items():
                # a member that is no NPY file comes as its bytes
                if not isinstance(array, np.ndarray):
                    raise ValueError(f"{key} is not an array")
            return arrays
    # RuntimeError is zipfile's for a password or an unknown compression.
    # MemoryError: a header that promises more than there is.
    except (
        OSError,
        EOFError,
        ValueError,
        RuntimeError,
        MemoryError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise refuse(
            str(path),
            expected="a NumPy .npz archive of plain arrays",
            got=error,
            remedy="Write it with numpy.savez(path, x=x, y=y).",
        ) from error


def keys_of(path: Path, names: Collection[str]) -> dict[Part, Keys]:
    """Return the names of the arrays of each split: train, and val and test where they are.

    Arrays are called x or images, y or labels (and a few words more), with the name of the split
    before or behind: `x_test`, `test_images`. Without a split they are to train on.

    Raises
    ------
    DataError
        If no arrays are to train on, or records or labels lack the other.
    """
    inputs, labels = _by_part(names, INPUTS), _by_part(names, LABELS)
    found: dict[Part, Keys] = {}
    parts: tuple[Part, ...] = ("train", "val", "test")
    for part in parts:
        x, y = inputs.get(part), labels.get(part)
        if part != "train" and x is None and y is None:
            continue
        if x is None or y is None:
            behind = "" if part == "train" else f"_{part}"
            wanted = (x or f"x{behind}", y or f"y{behind}")
            raise refuse(
                str(path),
                expected=f"keys {wanted[0]} and {wanted[1]}",
                got=", ".join(sorted(names)) or "none",
                remedy="Write it with numpy.savez(path, "
                + ", ".join(f"{key}={key}" for key in wanted)
                + ").",
            )
        found[part] = Keys(inputs=x, labels=y)
    return found


def inputs_key(names: Collection[str]) -> str | None:
    """Return the name of the array with the records of an archive without labels, if there is."""
    found = _by_part(names, INPUTS)
    return next((found[part] for part in ("train", "test", "val") if part in found), None)


def _by_part(names: Collection[str], words: tuple[str, ...]) -> dict[Part, str]:
    """Return the array of each split that is called by one of `words`, the first of them first."""
    found: dict[Part, str] = {}
    for word in reversed(words):
        # a name without a split is set last: it goes before one with `train`
        for name in sorted(names, key=lambda name: name.lower() == word):
            lower = name.lower()
            rest = lower.removeprefix(f"{word}_") if lower.startswith(f"{word}_") else ""
            rest = rest or (lower.removesuffix(f"_{word}") if lower.endswith(f"_{word}") else "")
            part = "train" if lower == word else part_of(rest)
            if part:
                found[part] = name
    return found
