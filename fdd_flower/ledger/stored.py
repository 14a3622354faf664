"""Sets on disk and not in memory: before they are accepted, and after.

A thousand clients' sets are a few hundred megabytes once decoded. A round needs all of them only in
the merged set, so that each is written before the next is decoded, and read when it is used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from fdd_flower.ledger import _blobs
from fdd_flower.run_folder.files import sync_files, sync_folder
from fdd_flower.synthetic_set import SyntheticSet


class Staging:
    """Sets that are in files under names that no reader looks for.

    A verdict may depend on the other replies of a round, so that a set is on the disk before it is
    known whether it is accepted.

    Parameters
    ----------
    folder
        Of the ledger.
    on_disk
        A context that makes the folder and names errors of the disk.
    """

    def __init__(self, folder: Path, on_disk: Callable[[], AbstractContextManager[None]]) -> None:
        self._folder, self._on_disk = folder, on_disk
        self._parts: dict[str, Path] = {}  # by content hash

    def add(self, set_: _blobs.Kept) -> str:
        """Write a set, or the arrays of a sketch, and return its content hash.

        Raises
        ------
        DataError
            If the disk does not take it.
        """
        sha256 = _blobs.content_hash(set_)
        if sha256 not in self._parts:
            with self._on_disk():
                self._parts[sha256] = _blobs.stage_set(self._folder, set_, sha256)
        return sha256

    def keep(self, hashes: Collection[str]) -> None:
        """Give the sets with these content hashes their names.

        Raises
        ------
        DataError
            If the disk does not take it.
        """
        with self._on_disk():
            # of a thousand, side by side: one after another they would take as long as a round
            sync_files(self._parts[sha256] for sha256 in hashes)
            for sha256 in hashes:
                os.replace(self._parts[sha256], _blobs.set_file(self._folder, sha256))
                del self._parts[sha256]
            # once for all of them: a row is written only after it
            sync_folder(self._folder)

    def clear(self) -> None:
        """Delete what was not kept."""
        for part in self._parts.values():
            part.unlink(missing_ok=True)
        self._parts.clear()


class StoredSets(Mapping[str, SyntheticSet]):
    """Sets by client, each read, and compared with its hash, when it is asked for.

    Parameters
    ----------
    load
        Returns the set with a content hash.
    hashes
        By client, in the order of merging; kept as an attribute.
    """

    def __init__(self, load: Callable[[str], SyntheticSet], hashes: Mapping[str, str]) -> None:
        self._load, self.hashes = load, dict(hashes)

    def __getitem__(self, client: str) -> SyntheticSet:
        return self._load(self.hashes[client])

    def __contains__(self, client: object) -> bool:
        return client in self.hashes  # without reading it

    def __iter__(self) -> Iterator[str]:
        return iter(self.hashes)

    def __len__(self) -> int:
        return len(self.hashes)

    def only(self, clients: Collection[str]) -> StoredSets:
        """Return the sets of some clients, in the same order."""
        return StoredSets(self._load, {c: s for c, s in self.hashes.items() if c in clients})
