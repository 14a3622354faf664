"""The ledger of a run: a folder of sets, and an index of what became of each reply."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from fdd_flower.errors import DataError
from fdd_flower.ledger import _blobs, _index
from fdd_flower.ledger._index import INDEX
from fdd_flower.ledger._old_index import OLD_INDEX, old_rows
from fdd_flower.ledger.entry import (
    ACCEPTED,
    FORGOTTEN,
    QUARANTINED,
    REJECTED,
    Entry,
    accepted_entry,
    is_refusal,
)
from fdd_flower.ledger.stored import Staging, StoredSets
from fdd_flower.run_folder.files import sync_folder
from fdd_flower.synthetic_set import SyntheticSet


class Ledger:
    """The ledger in the folder `path`, which is made when the first line is written.

    Content is written before the row that points to it: a crash in between leaves a file
    without a row, which is no fault, and never a row without its file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def record(
        self, set_: _blobs.Kept, *, client: str, round: int, plan: str, num_bytes: int
    ) -> str:
        """Keep an accepted set or sketch, and return its content hash; call this before using it.

        Raises
        ------
        DataError
            If the disk does not take it.
        """
        with self.staging() as staged:
            sha256 = staged.add(set_)
            self.accept(staged, [accepted_entry(sha256, client, round, plan, num_bytes)])
        return sha256

    @contextmanager
    def staging(self) -> Iterator[Staging]:
        """Give sets a place on the disk before it is known which are accepted.

        What `accept` has not named by the end of the block is deleted, and after a crash by
        `report.files.sweep`.
        """
        staged = Staging(self.path, self._on_disk)
        try:
            yield staged
        finally:
            staged.clear()

    def accept(self, staged: Staging, entries: Sequence[Entry]) -> None:
        """Keep the staged sets that `entries` name: all of them or, after a crash, none.

        Call this before using the sets.

        Raises
        ------
        DataError
            If the disk does not take them.
        """
        staged.keep({entry.sha256 for entry in entries if entry.sha256})
        _index.add(self._file, entries)

    def reject(
        self,
        *,
        client: str,
        round: int,
        plan: str,
        reason: str,
        num_bytes: int,
        code: str = "",
        content: bytes | None = None,
    ) -> None:
        """Note a reply that was refused; keep its raw `content`, where given, apart.

        Parameters
        ----------
        code
            The kind of fault, in a short word that a program can compare.
        content
            The payload as it came, for whoever looks into it; nothing here decodes it.

        Raises
        ------
        DataError
            If the disk does not take it.
        """
        with self._on_disk():
            sha256 = "" if content is None else _blobs.keep_payload(self.path, content)
        entry = Entry(
            round=round,
            client=client,
            plan=plan,
            verdict=REJECTED,
            code=code,
            reason=reason,
            sha256=sha256,
            bytes=num_bytes,
        )
        _index.add(self._file, [entry])

    def score(
        self,
        *,
        client: str,
        round: int,
        value: float | None,
        agreement: float | None = None,
        outlier: float | None = None,
        copied: float | None = None,
        quarantine: str = "",
    ) -> None:
        """Fill in what the set that `client` sent in `round` scored; see `Entry`.

        Parameters
        ----------
        quarantine
            Why the set is quarantined and not used; empty where it is used.

        Raises
        ------
        DataError
            If no set of that client was accepted in that round.
        """
        self._refuse_an_old_one()
        values: dict[str, float | str | None] = {
            "score": value,
            "agreement": agreement,
            "outlier": outlier,
            "copied": copied,
        }
        if quarantine:
            values |= {"verdict": QUARANTINED, "code": QUARANTINED, "reason": quarantine}
        if not _index.score(self._file, client=client, round=round, **values):
            raise DataError(
                f"score of client {client} in round {round}",
                expected="an accepted set",
                got="none",
                remedy="Score what `Ledger.accepted` returns.",
            )

    def supersede(self, *, after_round: int) -> int:
        """Mark the replies of later rounds as asked again after a restart; return how many.

        They stay, with their sets: what a client sent was sent.
        """
        if not self._file.exists():
            return 0
        return _index.supersede(self._file, after_round)

    def forget(self, client: str) -> int:
        """Take what `client` sent out of the folder; return how many replies.

        The rows stay and say so. A set that another client sent too, value for value, is that
        client's as well and stays. To call it again after a crash does the rest.
        """
        self._refuse_an_old_one()
        before = self.entries()
        count = _index.forget(self._file, client)
        others = {entry.sha256 for entry in before if entry.client != client}
        for sha256 in {entry.sha256 for entry in before if entry.client == client} - others:
            _blobs.set_file(self.path, sha256).unlink(missing_ok=True)
            _blobs.payload_file(self.path, sha256).unlink(missing_ok=True)
        sync_folder(self.path)
        return count

    def entries(self) -> list[Entry]:
        """Return what became of each reply, in the order they were judged.

        Raises
        ------
        DataError
            If the index is damaged; it names the row.
        """
        if self._file.exists():
            return _index.rows(self._file)
        old = self.path / OLD_INDEX
        return old_rows(old) if old.exists() else []

    def accepted(self, round: int) -> dict[str, Entry]:
        """Return the accepted replies of a round by client, in the order they were judged."""
        return {
            entry.client: entry
            for entry in self.entries()
            if entry.round == round and entry.verdict == ACCEPTED
        }

    def load(self, sha256: str) -> SyntheticSet:
        """Return the accepted set with this content hash; its `meta` is empty.

        Raises
        ------
        DataError
            If there is none, or what is there is not what was accepted.
        """
        return _blobs.load_set(self.path, sha256)

    def load_any(self, sha256: str) -> _blobs.Kept:
        """Return what was accepted with this content hash: a set, or the arrays of a sketch.

        Raises
        ------
        DataError
            If there is none, or what is there is not what was accepted.
        """
        return _blobs.load(self.path, sha256)

    def sets(self, hashes: Mapping[str, str]) -> StoredSets:
        """Return the sets with these content hashes, by client, each read when it is asked for."""
        return StoredSets(self.load, hashes)

    def payload(self, entry: Entry) -> bytes | None:
        """Return the bytes of a refused reply as they came; None if they were not kept.

        Raises
        ------
        DataError
            If they were, and are missing or changed.
        """
        if not entry.sha256 or not is_refusal(entry):
            return None
        return _blobs.load_payload(self.path, entry.sha256)

    def check(self, entry: Entry) -> None:
        """Hold what was kept of one reply against its hash.

        Raises
        ------
        DataError
            If it is missing, truncated or changed; it names the file.
        """
        if not entry.sha256 or entry.verdict == FORGOTTEN:
            return
        if is_refusal(entry):
            _blobs.load_payload(self.path, entry.sha256)
        else:
            _blobs.load(self.path, entry.sha256)

    @property
    def _file(self) -> Path:
        return self.path / INDEX

    def _refuse_an_old_one(self) -> None:
        if (self.path / OLD_INDEX).exists() and not self._file.exists():
            raise DataError(
                str(self.path),
                expected=f"a ledger with an {INDEX}",
                got=f"one with {OLD_INDEX}",
                remedy="An earlier version made it: it can be read, and not be added to.",
            )

    @contextmanager
    def _on_disk(self) -> Iterator[None]:
        """Write inside the block, with the folder there; a disk that fails is named."""
        self._refuse_an_old_one()
        try:
            if not self.path.is_dir():
                self.path.mkdir(parents=True, exist_ok=True)
                sync_folder(self.path.parent)
            yield
        except OSError as error:
            raise DataError(
                str(self.path),
                expected="a disk that takes the reply",
                got=error.strerror or str(error),
                remedy="Free disk space or fix the permissions; then resume the run.",
            ) from error
