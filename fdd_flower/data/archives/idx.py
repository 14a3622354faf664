"""MNIST's four IDX files, plain or gzipped, read by torchvision."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fdd_flower.data.base import Records, refuse

if TYPE_CHECKING:
    from torch import Tensor

NEEDED = "the four IDX files {train,t10k}-{images-idx3,labels-idx1}-ubyte, plain or .gz"


def read_first(folders: list[Path]) -> tuple[Records, Records] | None:
    """Return the training and test records of the first folder that holds all four files.

    Returns
    -------
    Two `Records` with uint8 inputs (n, 1, h, w), or None where no folder is complete.

    Raises
    ------
    DataError
        If a file is damaged.
    """
    for folder in folders:
        found = [_find(folder, name) for name in _names("train") + _names("t10k")]
        paths = [path for path in found if path is not None]
        if len(paths) == 4:
            return _records(paths[0], paths[1]), _records(paths[2], paths[3])
    return None


def _names(split: str) -> list[str]:
    return [f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte"]


def _find(folder: Path, name: str) -> Path | None:
    options = (folder / name, folder / f"{name}.gz")
    return next((path for path in options if path.is_file()), None)


def _records(images: Path, labels: Path) -> Records:
    from torchvision.datasets.mnist import read_image_file, read_label_file

    return Records(
        inputs=_read(images, read_image_file)[:, None],
        labels=_read(labels, read_label_file).astype(np.int64),
    )


def _read(path: Path, reader: Callable[[str], Tensor]) -> np.ndarray:
    try:
        if path.suffix != ".gz":
            return reader(str(path)).numpy()
        # torchvision's readers take a path and do not decompress.
        with tempfile.NamedTemporaryFile() as plain:
            with gzip.open(path) as packed:
                shutil.copyfileobj(packed, plain)
            plain.flush()
            return reader(plain.name).numpy()
    # What torchvision raises on a bad header is an accident of where its parser trips.
    except (
        OSError,
        EOFError,
        zlib.error,
        AssertionError,
        LookupError,
        TypeError,
        ValueError,
        RuntimeError,
    ) as error:
        raise refuse(
            str(path),
            expected="an IDX file of unsigned bytes",
            got=f"{type(error).__name__} {error}".strip(),
            remedy="The file is damaged or truncated; copy it again.",
        ) from error
