"""Writing so that a reader, or a crash, never meets half a file."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4


def write_atomic(path: Path, content: bytes) -> None:
    """Put `content` at `path`: all of it or, after a crash, none of it.

    Raises
    ------
    OSError
        If the folder cannot be written, or the disk is full.
    """
    # in the same folder, because a rename is atomic only within one file system
    part = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


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


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    # without this the new name itself may be lost with the power
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
