"""What the files of facts share: JSON that a stranger may have written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from fdd_flower.errors import DataError

T = TypeVar("T")
_BROKEN = (OSError, ValueError, OverflowError, RecursionError, KeyError, TypeError, DataError)


def read_fact(path: Path, read: Callable[[Any], T], *, expected: str, remedy: str) -> T:
    """Return what `read` makes of the JSON in a file.

    Raises
    ------
    DataError
        If the file is missing or broken.
    """
    try:
        return read(json.loads(path.read_bytes()))
    except _BROKEN as error:
        got = f"{type(error).__name__}: {error}"
        raise DataError(str(path), expected=expected, got=got, remedy=remedy) from error
