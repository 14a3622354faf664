"""Comparing everything in a ledger with the hash it is stored under."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from fdd_flower.errors import DataError
from fdd_flower.ledger.entry import ACCEPTED, FORGOTTEN, Entry, damaged, is_refusal
from fdd_flower.ledger.ledger import Ledger
from fdd_flower.run_folder.run_dir import SYNTHETIC
from fdd_flower.run_folder.saved_set import load_set


def verify(ledger: Ledger, entries: Iterable[Entry]) -> Iterator[tuple[Entry, DataError]]:
    """Yield each of `entries` whose content is missing, truncated or changed, and what is wrong.

    The error names the file. Content that several clients sent is read once and named once.
    """
    seen: set[tuple[str, bool]] = set()
    for entry in entries:
        kind = entry.sha256, is_refusal(entry)
        if kind in seen:
            continue
        seen.add(kind)
        try:
            ledger.check(entry)
        except DataError as error:
            yield entry, error


def missing_rows(folder: Path, entries: Sequence[Entry]) -> list[DataError]:
    """Return what the merged set of a run was made from and the ledger does not have as used.

    Raises
    ------
    DataError
        If the merged set cannot be read.
    """
    path = folder / SYNTHETIC
    if not path.exists():
        return []
    used = {(e.round, e.sha256) for e in entries if e.verdict == ACCEPTED}
    forgotten = {e.round for e in entries if e.verdict == FORGOTTEN}
    return [
        damaged(
            f"ledger of {folder}", f"an accepted set {source.sha256}", f"none in {source.round}"
        )
        for source in load_set(path).sources
        if (source.round, source.sha256) not in used and source.round not in forgotten
    ]
