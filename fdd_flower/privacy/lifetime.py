"""What was ever released of one data set: an SQLite file, a row a charge, chained by hashes.

Each row's hash covers the row before it, and the last one stands beside their count: a row that was
changed, added or removed shows, and so does a file that was cut short. What does not show is an
older copy put in place of the file, or its removal: who may write the folder is trusted with that.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from fdd_flower.errors import BudgetError, ConfigError
from fdd_flower.privacy.accountant import Spend

WAIT_SECONDS = 60.0  # for another process that charges just now
_VERSION = 1
_CREATE = f"""
CREATE TABLE charges (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, run TEXT NOT NULL, sigma REAL NOT NULL,
    releases INTEGER NOT NULL, rate REAL NOT NULL, chain TEXT NOT NULL
);
CREATE TABLE head (count INTEGER NOT NULL, chain TEXT NOT NULL);
CREATE TABLE frozen (key TEXT PRIMARY KEY, sha256 TEXT NOT NULL, payload BLOB NOT NULL);
INSERT INTO head VALUES (0, '');
PRAGMA user_version = {_VERSION};
"""
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


@dataclass(frozen=True, slots=True)
class Charge:
    """One row: what was charged, under which key, in which run."""

    key: str
    run: str
    spend: Spend

    def chained(self, before: str) -> str:
        """Return the hash of this row after a row with the hash `before`."""
        spend = self.spend
        facts = (before, self.key, self.run, spend.sigma.hex(), spend.releases, spend.rate.hex())
        return hashlib.sha256(repr(facts).encode()).hexdigest()


def create(path: Path) -> None:
    """Make an empty ledger at `path`, whole; one that is there stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return
    part = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        with closing(sqlite3.connect(part, isolation_level=None)) as new:
            new.execute("PRAGMA synchronous = EXTRA")
            new.executescript(f"BEGIN; {_CREATE} COMMIT;")
        try:
            os.link(part, path)  # unlike a rename, a link never replaces
        except FileExistsError:
            return
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            with path.open("xb") as file:  # half of it, after a crash, is refused as damaged
                file.write(part.read_bytes())
                os.fsync(file.fileno())
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def transaction(path: Path) -> Iterator[sqlite3.Connection]:
    """Give the ledger to one process; what the block writes is kept as a whole, or not at all.

    Raises
    ------
    BudgetError
        If the file is missing, damaged, or cannot be written.
    """
    try:
        if path.exists() and not path.stat().st_size:
            raise damaged(path, "an empty file")
        uri = f"{path.absolute().as_uri()}?mode=rw"
        with closing(
            sqlite3.connect(uri, uri=True, isolation_level=None, timeout=WAIT_SECONDS)
        ) as db:
            db.execute("PRAGMA synchronous = EXTRA")
            db.execute("BEGIN IMMEDIATE")
            try:
                if db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                    raise damaged(path, "one of another version")
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
    except sqlite3.OperationalError as error:
        raise BudgetError(
            str(path),
            expected="a privacy ledger that can be read and written",
            got=error,
            remedy="Free disk space and check the permissions; nothing was released.",
        ) from error
    except sqlite3.DatabaseError as error:
        raise damaged(path, error) from error


def charges(path: Path, db: sqlite3.Connection) -> list[Charge]:
    """Return every charge, in order.

    Raises
    ------
    BudgetError
        If one was changed, or their number is not what it was.
    """
    found, chain = [], ""
    names = "key, run, sigma, releases, rate, chain"
    for *facts, kept in db.execute(f"SELECT {names} FROM charges ORDER BY id"):
        key, run, sigma, releases, rate = facts
        try:
            charge = Charge(key, run, Spend(float(sigma), releases, float(rate)))
            chain = charge.chained(chain)
        except (ConfigError, TypeError, ValueError) as error:
            raise damaged(path, f"a row that is none ({error})") from error
        if chain != kept:
            raise damaged(path, f"row {len(found) + 1} changed")
        found.append(charge)
    if db.execute("SELECT count, chain FROM head").fetchall() != [(len(found), chain)]:
        raise damaged(path, "rows missing at its end")
    return found


def add(db: sqlite3.Connection, charge: Charge) -> None:
    """Add a charge behind the others."""
    (before,) = db.execute("SELECT chain FROM head").fetchone()
    spend, chain = charge.spend, charge.chained(before)
    values = (charge.key, charge.run, spend.sigma, spend.releases, spend.rate, chain)
    db.execute(
        "INSERT INTO charges (key, run, sigma, releases, rate, chain) VALUES (?, ?, ?, ?, ?, ?)",
        values,
    )
    db.execute("UPDATE head SET count = count + 1, chain = ?", (chain,))


def payload(path: Path, db: sqlite3.Connection, key: str) -> bytes | None:
    """Return the release that is frozen under `key`; None where there is none.

    Raises
    ------
    BudgetError
        If it is not what was frozen: drawing it anew would be a second release.
    """
    row = db.execute("SELECT sha256, payload FROM frozen WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    sha256, content = row
    if not isinstance(content, bytes) or hashlib.sha256(content).hexdigest() != sha256:
        raise damaged(path, "a frozen release that changed")
    return content


def freeze(db: sqlite3.Connection, key: str, content: bytes) -> None:
    """Keep `content` under `key`."""
    sha256 = hashlib.sha256(content).hexdigest()
    db.execute("INSERT INTO frozen VALUES (?, ?, ?)", (key, sha256, content))


def damaged(path: Path, got: object) -> BudgetError:
    """Return the error of a ledger that is not what was written."""
    return BudgetError(
        str(path),
        expected="the privacy ledger as it was written",
        got=got,
        remedy="Restore it from a copy that misses no run; an empty one would spend twice.",
    )
