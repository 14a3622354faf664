"""The index of a ledger: an SQLite file with one row per reply.

One transaction a change, with SQLite's rollback journal. Each waits for the disk four times, so
that the sets of a round are one change. A write-ahead log would serve many readers beside a writer,
but here one process writes, and a log has its price: two more files that must travel with a copy,
no network file systems, and after a crash it cannot be read without write access.
`synchronous = EXTRA` also waits for the folder, so that a row that was reported as written is there
after a loss of power.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import get_type_hints

from fdd_flower.errors import DataError
from fdd_flower.ledger.entry import (
    ACCEPTED,
    FORGOTTEN,
    SUPERSEDED,
    Entry,
    check_entry,
    damaged,
)

INDEX = "index.sqlite"
SCHEMA = 2  # in PRAGMA user_version; readers refuse any later one
WAIT_SECONDS = 30.0  # for another process that reads or writes just now

_CREATE = """
CREATE TABLE replies (
    id INTEGER PRIMARY KEY,
    round INTEGER NOT NULL,
    client TEXT NOT NULL,
    plan TEXT NOT NULL,
    verdict TEXT NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    score REAL,
    agreement REAL,
    outlier REAL,
    copied REAL
)
"""
_LATER = ("agreement", "outlier", "copied")  # columns that schema 1 lacks
_NAMES = tuple(item.name for item in fields(Entry))
_ADD = f"INSERT INTO replies ({', '.join(_NAMES)}) VALUES ({', '.join(f':{n}' for n in _NAMES)})"
_HINTS = get_type_hints(Entry)
LONGEST = 2**24  # bytes of a value: no reason of a refusal is nearly as long


def add(path: Path, entries: Iterable[Entry]) -> None:
    """Add rows, all of them or none, and return once the disk has them."""
    values = [
        {k: _valid_text(v) if isinstance(v, str) else v for k, v in asdict(entry).items()}
        for entry in entries
    ]
    with _changing(path) as index:
        index.executemany(_ADD, values)


def rows(path: Path) -> list[Entry]:
    """Return all rows in the order they were added.

    Raises
    ------
    DataError
        If the file is damaged, or a later version made it; it names the row.
    """
    with _open(path) as index:
        # a crash before the first row leaves a file without a table
        version = _version(path, index)
        names = ", ".join(f"NULL AS {n}" if version < 2 and n in _LATER else n for n in _NAMES)
        every = f"SELECT {names} FROM replies ORDER BY id"
        found = index.execute(every).fetchall() if version else []
    return [_entry(path, number, values) for number, values in enumerate(found, start=1)]


def supersede(path: Path, after_round: int) -> int:
    """Mark what was judged in later rounds as asked again; return how many rows."""
    with _changing(path) as index:
        done = index.execute(
            "UPDATE replies SET verdict = ? WHERE round > ? AND verdict != ?",
            (SUPERSEDED, after_round, FORGOTTEN),
        )
        return done.rowcount


def forget(path: Path, client: str) -> int:
    """Mark all of a client's rows; return how many."""
    with _changing(path) as index:
        done = index.execute("UPDATE replies SET verdict = ? WHERE client = ?", (FORGOTTEN, client))
        return done.rowcount


def score(path: Path, *, client: str, round: int, **values: float | str | None) -> int:
    """Fill in columns of what was accepted of a client in a round; return how many rows."""
    named = ", ".join(f"{name} = :{name}" for name in values)
    where = "client = :its_client AND round = :its_round AND verdict = :its_verdict"
    its = {"its_client": client, "its_round": round, "its_verdict": ACCEPTED}
    with _changing(path) as index:
        return index.execute(f"UPDATE replies SET {named} WHERE {where}", values | its).rowcount


@contextmanager
def _open(path: Path, mode: str = "rw") -> Iterator[sqlite3.Connection]:
    # readers open it for writing too: after a crash the first one to come rolls back the rest
    # of a transaction (a file that may not be written is opened for reading by SQLite itself)
    name = f"{path.absolute().as_uri()}?mode={mode}"
    try:
        with closing(
            sqlite3.connect(name, uri=True, isolation_level=None, timeout=WAIT_SECONDS)
        ) as index:
            # the file may be a stranger's: nothing in it is called, and no value fills the memory
            index.execute("PRAGMA trusted_schema = OFF")
            index.execute("PRAGMA ignore_check_constraints = ON")
            index.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
            yield index
    except sqlite3.OperationalError as error:
        # a full disk, a lock, missing rights: the file itself may well be in order
        raise DataError(
            str(path),
            expected="an index that can be read and written",
            got=error,
            remedy="Free disk space, check the permissions, end programs that use it; then resume.",
        ) from error
    except sqlite3.DatabaseError as error:
        raise damaged(str(path), "an SQLite file", error) from error


@contextmanager
def _changing(path: Path) -> Iterator[sqlite3.Connection]:
    with _open(path, "rwc") as index:
        index.execute("PRAGMA synchronous = EXTRA")
        index.execute("BEGIN IMMEDIATE")
        try:
            version = _version(path, index)
            if not version:
                index.execute(_CREATE)
            elif version < SCHEMA:
                for name in _LATER:
                    index.execute(f"ALTER TABLE replies ADD COLUMN {name} REAL")
            if version < SCHEMA:
                index.execute(f"PRAGMA user_version = {SCHEMA}")
            yield index
            index.execute("COMMIT")
        except BaseException:
            if index.in_transaction:
                index.execute("ROLLBACK")
            raise


def _version(path: Path, index: sqlite3.Connection) -> int:
    version = index.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA:
        raise DataError(
            f"{path}, user_version",
            expected=f"at most {SCHEMA}",
            got=version,
            remedy="Read this ledger with the version of fdd-flower that made it.",
        )
    if version:
        _require_plain(path, index)
    return version


def _require_plain(path: Path, index: sqlite3.Connection) -> None:
    """Refuse an index that holds more than its one table: a trigger or a view would act."""
    found = index.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    kinds = [(kind, name) for kind, name, _ in found]
    computed = index.execute("SELECT 1 FROM pragma_table_xinfo('replies') WHERE hidden").fetchone()
    plain = kinds == [("table", "replies")] and found[0][2].startswith("CREATE TABLE")
    if not plain or computed:
        got = ", ".join(f"{kind} {str(name)[:40]!r}" for kind, name in kinds)[:300]
        raise damaged(str(path), "the table 'replies' with plain columns, and no more", got)


def _entry(path: Path, number: int, values: tuple[object, ...]) -> Entry:
    found = dict(zip(_NAMES, values, strict=True))
    for name, value in found.items():
        if not isinstance(value, _HINTS[name]):
            raise damaged(f"{path}, row {number}, {name}", str(_HINTS[name]), repr(value)[:80])
    entry = Entry(**found)  # type: ignore[arg-type]
    check_entry(entry, f"{path}, row {number}")
    return entry


def _valid_text(text: str) -> str:
    # SQLite holds UTF-8, and a reason may quote what a client made up
    return text.encode("utf-8", "backslashreplace").decode()
