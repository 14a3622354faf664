"""Which client sent a row of the merged set."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fdd_flower.errors import DataError
from fdd_flower.ledger.entry import ACCEPTED, Entry
from fdd_flower.run_folder.run_dir import SYNTHETIC
from fdd_flower.run_folder.saved_set import load_set


def entry_of_row(folder: Path, entries: Iterable[Entry], row: int) -> Entry:
    """Return the ledger's entry of the set that a row, from 0, of a run's merged set came from.

    Raises
    ------
    DataError
        If the run has no merged set or no such row, or the row cannot be traced to one set.
    """
    path = folder / SYNTHETIC
    saved = load_set(path)
    if row >= len(saved.set):
        raise DataError(
            f"row {row} of {path}",
            expected=f"0 to {len(saved.set) - 1}",
            got=row,
            remedy="The merged set has no more rows.",
        )
    source = saved.source_of(row)
    wanted = source and (source.round, source.sha256, ACCEPTED)
    for entry in entries:
        if (entry.round, entry.sha256, entry.verdict) == wanted:
            return entry
    raise DataError(
        f"row {row} of {path}",
        expected="a set that it came from, in the ledger beside it",
        got=f"round {source.round}, {source.sha256[:12]}" if source else "none that is known",
        remedy="Earlier versions and merge rules that mix rows keep none, and a client that was "
        "forgotten has none.",
    )
