"""The index of earlier versions, one JSON object per line: read, never written."""

from __future__ import annotations

import json
from pathlib import Path

from fdd_flower.ledger.entry import Entry, check_entry, damaged

OLD_INDEX = "index.jsonl"

_KINDS = {
    "round": int,
    "client": str,
    "plan": str,
    "verdict": str,
    "reason": str,
    "sha256": str,
    "bytes": int,
}


def old_rows(path: Path) -> list[Entry]:
    """Return the lines of an old index; none of them has a code or a score.

    Raises
    ------
    DataError
        If a line is broken; it names the line.
    """
    lines = path.read_bytes().splitlines()
    return [_entry(line, f"{path}, line {at}") for at, line in enumerate(lines, start=1)]


def _entry(line: bytes, where: str) -> Entry:
    try:
        found = json.loads(line)
        values = {name: found[name] for name in _KINDS}
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise damaged(where, "a JSON object with every key", repr(error)) from error
    for name, value in values.items():
        if type(value) is not _KINDS[name]:
            raise damaged(f"{where}, key {name!r}", _KINDS[name].__name__, repr(value)[:80])
    entry = Entry(code="", **values)
    check_entry(entry, where)
    return entry
