"""A ledger whose writer died: at each step, and with a file damaged anywhere."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from fdd_flower.ledger import Ledger, _index
from fdd_flower.ledger.verify import verify
from tests.ledger.test_ledger import make_set


def fill(ledger: Ledger, count: int) -> list[str]:
    return [
        ledger.record(make_set(float(n)), client=str(n), round=1, plan="p", num_bytes=9)
        for n in range(count)
    ]


class Killed(BaseException):
    """Stands for the end of the process."""


def _killed(*_: object, **__: object) -> None:
    raise Killed


def whole(ledger: Ledger, clients: list[str]) -> None:
    """Check that the ledger opens, holds these clients' sets, and goes on."""
    assert [entry.client for entry in ledger.entries()] == clients
    assert list(verify(ledger, ledger.entries())) == []
    again = ledger.record(make_set(50.0), client="after", round=2, plan="p", num_bytes=1)
    assert len(ledger.load(again)) == 2
    assert [entry.client for entry in ledger.entries()] == [*clients, "after"]


def test_between_the_set_and_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(tmp_path)
    fill(ledger, 2)
    monkeypatch.setattr(_index, "add", _killed)
    with pytest.raises(Killed):
        ledger.record(make_set(9.0), client="9", round=1, plan="p", num_bytes=9)
    monkeypatch.undo()
    assert len(list(tmp_path.glob("*.safetensors"))) == 3
    whole(ledger, ["0", "1"])


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_while_the_set_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    ledger = Ledger(tmp_path)
    fill(ledger, 2)
    monkeypatch.setattr(os, step, _killed)
    # as after a kill: nobody tidies up
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
    with pytest.raises(Killed):
        ledger.record(make_set(9.0), client="9", round=1, plan="p", num_bytes=9)
    monkeypatch.undo()
    assert list(tmp_path.glob(".*.tmp"))
    whole(ledger, ["0", "1"])


# The process ends itself in the middle of a transaction, with its journal on the disk.
DIE = """
import os, signal, sqlite3, sys
from fdd_flower.ledger import _index
from pathlib import Path
with _index._changing(Path(sys.argv[1])) as index:
    index.execute("PRAGMA cache_size = 1")  # pages go to the file before the commit
    index.execute("PRAGMA cache_spill = 1")
    index.executemany("INSERT INTO replies (round, client, plan, verdict, code, reason, sha256, "
        "bytes) VALUES (1, 'x', 'p', 'accepted', '', '', '', 1)", [()] * 5000)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
@pytest.mark.parametrize("before", [0, 3])
def test_kill_9_within_a_transaction(tmp_path: Path, before: int) -> None:
    ledger = Ledger(tmp_path)
    fill(ledger, before)
    done = subprocess.run([sys.executable, "-c", DIE, str(tmp_path / "index.sqlite")], check=False)
    assert done.returncode == -9
    assert (tmp_path / "index.sqlite-journal").exists()
    whole(ledger, [str(n) for n in range(before)])


def test_an_index_made_and_never_written(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").touch()
    whole(Ledger(tmp_path), [])


def test_a_reader_waits_for_a_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(tmp_path)
    fill(ledger, 1)
    monkeypatch.setattr(_index, "WAIT_SECONDS", 0.05)
    with sqlite3.connect(tmp_path / "index.sqlite", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert len(ledger.entries()) == 1
        with pytest.raises(Exception, match="locked"):
            fill(ledger, 1)


def test_a_change_of_any_byte_of_a_set_is_found(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    sha = fill(ledger, 2)[0]
    blob = tmp_path / f"{sha}.safetensors"
    content = blob.read_bytes()
    for at in range(len(content)):
        blob.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        found = list(verify(ledger, ledger.entries()))
        assert [entry.sha256 for entry, _ in found] == [sha], f"byte {at}"
        assert sha in str(found[0][1])


def test_a_cut_at_any_byte_is_found(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    sha = fill(ledger, 1)[0]
    blob = tmp_path / f"{sha}.safetensors"
    content = blob.read_bytes()
    for length in range(len(content)):
        blob.write_bytes(content[:length])
        assert list(verify(ledger, ledger.entries())), f"{length} bytes"


@pytest.mark.parametrize("damage", ["gone", "cut", "other"])
def test_a_damaged_refusal_is_found(tmp_path: Path, damage: str) -> None:
    ledger = Ledger(tmp_path)
    ledger.reject(client="8", round=1, plan="p", reason="r", num_bytes=3, content=b"abc")
    (path,) = (tmp_path / "rejected").iterdir()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(b"ab" if damage == "cut" else b"abd")
    ((entry, error),) = verify(ledger, ledger.entries())
    assert entry.client == "8"
    assert path.name in str(error)
