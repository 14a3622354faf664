"""What was ever released of one data set: an SQLite file of charges and of frozen releases.

Both are lines of one chain: each line's hash covers the line before it, and the last one stands
beside their count. A charge or a release that was changed, added or removed shows, and so does a
file that was cut short. What does not show is an older copy put in place of the file, one with all
hashes made anew, or its removal: who may write the folder is trusted with that.
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
_VERSION = 2
_FROZEN = """
CREATE TABLE frozen (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL, chain TEXT NOT NULL,
    payload BLOB NOT NULL
)
"""
_CREATE = f"""
CREATE TABLE charges (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, run TEXT NOT NULL, sigma REAL NOT NULL,
    releases INTEGER NOT NULL, rate REAL NOT NULL, chain TEXT NOT NULL
);
CREATE TABLE head (count INTEGER NOT NULL, chain TEXT NOT NULL);
{_FROZEN};
INSERT INTO head VALUES (0, '');
PRAGMA user_version = {_VERSION};
"""
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


@dataclass(frozen=True, slots=True)
class Charge:
    """What was charged, under which key, in which run."""

    key: str
    run: str
    spend: Spend

    @property
    def facts(self) -> tuple[object, ...]:
        """What its line is the hash of."""
        spend = self.spend
        return (self.key, self.run, spend.sigma.hex(), spend.releases, spend.rate.hex())


@dataclass(frozen=True, slots=True)
class Frozen:
    """The SHA-256 of the release under a key."""

    key: str
    sha256: str

    @property
    def facts(self) -> tuple[object, ...]:
        """What its line is the hash of."""
        return (self.key, self.sha256)


Line = Charge | Frozen


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
                _update(path, db)
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
        If a line was changed, or their number is not what it was.
    """
    return [line for line in _lines(path, db) if isinstance(line, Charge)]


def add(db: sqlite3.Connection, charge: Charge) -> None:
    """Add a charge behind the other lines."""
    place, chain = _behind(db, charge)
    spend = charge.spend
    values = (place, charge.key, charge.run, spend.sigma, spend.releases, spend.rate, chain)
    db.execute("INSERT INTO charges VALUES (?, ?, ?, ?, ?, ?, ?)", values)


def payload(path: Path, db: sqlite3.Connection, key: str) -> bytes | None:
    """Return the release that is frozen under `key`; None where there is none.

    Raises
    ------
    BudgetError
        If a line was changed, or it is not what was frozen: drawing it anew would be a second
        release.
    """
    lines = (line for line in _lines(path, db) if isinstance(line, Frozen) and line.key == key)
    line = next(lines, None)
    if line is None:
        return None
    (content,) = db.execute("SELECT payload FROM frozen WHERE key = ?", (key,)).fetchone()
    return _checked(path, line.sha256, content)


def freeze(db: sqlite3.Connection, key: str, content: bytes) -> None:
    """Keep `content` under `key`, behind the other lines."""
    line = Frozen(key, hashlib.sha256(content).hexdigest())
    place, chain = _behind(db, line)
    values = (place, key, line.sha256, chain, content)
    db.execute("INSERT INTO frozen VALUES (?, ?, ?, ?, ?)", values)


def _lines(path: Path, db: sqlite3.Connection) -> list[Line]:
    """Return all lines, in order.

    Raises
    ------
    BudgetError
        If one was changed, or their number is not what it was.
    """
    found: dict[int, tuple[Line, str]] = {}
    names = "id, key, run, sigma, releases, rate, chain"
    try:
        for place, key, run, sigma, releases, rate, kept in db.execute(
            f"SELECT {names} FROM charges"
        ):
            found[place] = Charge(key, run, Spend(float(sigma), releases, float(rate))), kept
        for place, key, sha256, kept in db.execute("SELECT id, key, sha256, chain FROM frozen"):
            found[place] = Frozen(key, sha256), kept
    except (ConfigError, TypeError, ValueError) as error:
        raise damaged(path, f"a row that cannot be read ({error})") from error
    lines: list[Line] = []
    chain = ""
    for _, (line, kept) in sorted(found.items()):
        chain = _chained(chain, line)
        if chain != kept:
            kind = "charge" if isinstance(line, Charge) else "frozen release"
            raise damaged(path, f"line {len(lines) + 1}, a {kind}, changed")
        lines.append(line)
    if db.execute("SELECT count, chain FROM head").fetchall() != [(len(lines), chain)]:
        raise damaged(path, "lines missing at its end")
    return lines


def _behind(db: sqlite3.Connection, line: Line) -> tuple[int, str]:
    """Return place and hash of a line behind all others, which are its head from now on."""
    count, before = db.execute("SELECT count, chain FROM head").fetchone()
    chain = _chained(before, line)
    db.execute("UPDATE head SET count = ?, chain = ?", (count + 1, chain))
    return count + 1, chain


def _chained(before: str, line: Line) -> str:
    return hashlib.sha256(repr((before, *line.facts)).encode()).hexdigest()


def _update(path: Path, db: sqlite3.Connection) -> None:
    """Bring a ledger of version 1, whose chain had no frozen releases, to this one."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == 1:
        rows = db.execute("SELECT key, sha256, payload FROM frozen ORDER BY rowid").fetchall()
        db.execute("DROP TABLE frozen")
        db.execute(_FROZEN)
        for key, sha256, content in rows:
            freeze(db, key, _checked(path, sha256, content))
        db.execute(f"PRAGMA user_version = {_VERSION}")
    elif version != _VERSION:
        raise damaged(path, "one of another version")


def _checked(path: Path, sha256: str, content: object) -> bytes:
    if not isinstance(content, bytes) or hashlib.sha256(content).hexdigest() != sha256:
        raise damaged(path, "a frozen release that changed")
    return content


def damaged(path: Path, got: object) -> BudgetError:
    """Return the error of a ledger that is not what was written."""
    return BudgetError(
        str(path),
        expected="the privacy ledger as it was written",
        got=got,
        remedy="Restore it from a copy that misses no run; an empty one would spend twice.",
    )
