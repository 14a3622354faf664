"""A new file or folder that a command is asked to leave: checked before any work."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

from fdd_flower.errors import ConfigError
from fdd_flower.run_folder.files import sync_folder


def check_new(path: Path, endings: tuple[str, ...]) -> Path:
    """Return the absolute path of a file that can be made; makes nothing.

    Parameters
    ----------
    endings
        That its name may have, in lower case: `(".csv", ".parquet")`.

    Raises
    ------
    ConfigError
        If something is there, its folder is missing or cannot be written, or its name ends
        otherwise.
    """
    found = _absolute(path)
    if found.suffix.lower() not in endings:
        _refuse(found, f"a name that ends in {' or '.join(endings)}", found.suffix or "no ending")
    if found.exists() or found.is_symlink():
        _refuse(found, "a new file", "one that exists")
    if not found.parent.is_dir():
        _refuse(found, "a file in a folder that exists", f"no folder {found.parent}")
    _check_writable(found)
    return found


def check_new_folder(path: Path) -> Path:
    """Return the absolute path of a folder that can be made; makes nothing.

    Raises
    ------
    ConfigError
        If it is a file, holds something, or cannot be written.
    """
    found = _absolute(path)
    if found.is_dir():
        if any(found.iterdir()):
            _refuse(found, "a new or an empty folder", "one that holds files")
    elif found.exists() or found.is_symlink():
        _refuse(found, "a folder", "a file")
    _check_writable(found)
    return found


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a folder to write in, which becomes `path` when all is written.

    After an error, or a crash, there is nothing at `path`.

    Raises
    ------
    ConfigError
        As `check_new_folder` does, or if the disk is full.
    """
    found = check_new_folder(path)
    part = found.with_name(f".{found.name}.{uuid4().hex}.tmp")
    try:
        part.mkdir(parents=True)
        yield part
        if found.is_dir():
            found.rmdir()  # not every system renames over an empty folder
        os.replace(part, found)
        sync_folder(found.parent)
    except OSError as error:
        _refuse(found, "a folder that can be written", error.strerror or str(error))
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))


def _check_writable(path: Path) -> None:
    nearest = next(folder for folder in path.parents if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        _refuse(path, "a place that can be written", f"{nearest}, which cannot")


def _refuse(path: Path, expected: str, got: str) -> NoReturn:
    raise ConfigError(
        f"--out {path}",
        expected=expected,
        got=got,
        remedy="Name another one; nothing was written.",
    )
