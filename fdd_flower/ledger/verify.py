"""Comparing everything in a ledger with the hash it is stored under."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fdd_flower.errors import DataError
from fdd_flower.ledger.entry import Entry, is_refusal
from fdd_flower.ledger.ledger import Ledger


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
