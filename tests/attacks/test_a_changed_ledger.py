"""A ledger whose rows, files or order were changed: the change is found, or it does nothing."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from fdd_flower.errors import DataError
from fdd_flower.ledger import Ledger
from fdd_flower.ledger.verify import missing_rows, verify
from tests.ledger.test_ledger import make_set
from tests.methods.test_end_to_end import run


def change(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "index.sqlite")) as index, index:
        for statement in statements:
            index.execute(statement)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    found = Ledger(tmp_path / "ledger")
    for number in range(3):
        found.record(make_set(number), client=str(number), round=1, plan="p", num_bytes=9)
    return found


ACTS = {
    "a trigger": "CREATE TRIGGER t AFTER UPDATE ON replies BEGIN DELETE FROM replies; END",
    "a trigger on adding": (
        "CREATE TRIGGER t AFTER INSERT ON replies BEGIN UPDATE replies SET client = 'x'; END"
    ),
    "a view": "CREATE VIEW more AS SELECT * FROM replies",
    "a table": "CREATE TABLE more (x)",
    "an index of an expression": "CREATE INDEX i ON replies (abs(round))",
    "a computed column": "ALTER TABLE replies ADD COLUMN x AS (hex(client)) VIRTUAL",
}


@pytest.mark.parametrize("what", ACTS)
def test_what_would_act_is_refused_before_it_does(ledger: Ledger, what: str) -> None:
    before = ledger.entries()
    change(ledger.path, ACTS[what])
    for use in (
        ledger.entries,
        lambda: ledger.forget("1"),
        lambda: ledger.supersede(after_round=0),
        lambda: ledger.record(make_set(7), client="7", round=1, plan="p", num_bytes=9),
    ):
        with pytest.raises(DataError, match="and no more"):
            use()
    undo = {"a trigger": "DROP TRIGGER t", "a trigger on adding": "DROP TRIGGER t"}
    if what in undo:
        change(ledger.path, undo[what])
        assert ledger.entries() == before


@pytest.mark.parametrize("kind", ["view", "endless view", "virtual table"])
def test_a_table_that_is_none_is_not_asked(ledger: Ledger, kind: str) -> None:
    made = {
        "view": "CREATE VIEW replies AS SELECT * FROM old",
        "endless view": "CREATE VIEW replies AS WITH RECURSIVE n(id) AS "
        "(SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT * FROM n",
        "virtual table": "CREATE VIRTUAL TABLE replies USING fts5(id, round)",
    }
    rest = "ALTER TABLE replies RENAME TO old" if kind == "view" else "DROP TABLE replies"
    change(ledger.path, rest, made[kind])
    with pytest.raises(DataError, match="and no more"):
        ledger.entries()


@pytest.mark.parametrize("value", ["zeroblob(20000000)", "hex(zeroblob(10000000))"])
def test_a_value_that_would_fill_the_memory_is_not_read(ledger: Ledger, value: str) -> None:
    change(ledger.path, f"UPDATE replies SET reason = {value} WHERE client = '1'")
    with pytest.raises(DataError, match=r"index\.sqlite"):
        ledger.entries()


def test_a_condition_of_the_table_is_not_computed(tmp_path: Path) -> None:
    change_ = "CREATE TABLE replies (id INTEGER PRIMARY KEY, round, client TEXT CHECK ({}), {})"
    rest = "plan, verdict, code, reason, sha256, bytes, score, agreement, outlier, copied"
    folder = tmp_path / "ledger"
    folder.mkdir()
    change(folder, change_.format("length(randomblob(9e8)) < 0", rest), "PRAGMA user_version = 2")
    ledger = Ledger(folder)
    ledger.record(make_set(), client="7", round=1, plan="p", num_bytes=9)
    assert [entry.client for entry in ledger.entries()] == ["7"]


@pytest.mark.parametrize(
    "values",
    [
        "sha256 = upper(sha256)",
        "sha256 = '..'",
        "sha256 = sha256 || '/'",
        "verdict = 'superb'",
        "verdict = ''",
        "round = -1",
        "bytes = -1",
        "client = x'00'",
        "id = id + 9, round = 'one'",
    ],
)
def test_a_row_that_no_run_writes_is_named(ledger: Ledger, values: str) -> None:
    change(ledger.path, f"UPDATE replies SET {values} WHERE client = '1'")
    with pytest.raises(DataError, match=r"row [23]"):
        ledger.entries()


def test_files_that_change_places_are_found(ledger: Ledger) -> None:
    first, second, _ = (ledger.path / f"{e.sha256}.safetensors" for e in ledger.entries())
    shutil.move(first, ledger.path / "aside")
    shutil.move(second, first)
    shutil.move(ledger.path / "aside", second)
    found = {entry.client for entry, _ in verify(ledger, ledger.entries())}
    assert found == {"0", "1"}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, ok = run(tmp_path_factory.mktemp("run"))
    assert ok
    return folder


CHANGES: dict[str, tuple[str, int]] = {
    "a row is gone": ("DELETE FROM replies WHERE client = '1'", 1),
    "a set was refused, it says": (
        "UPDATE replies SET verdict = 'rejected', code = 'range' WHERE client = '1'", 1
    ),
    "another round": ("UPDATE replies SET round = round + 5", 4),
    "all rows are gone": ("DELETE FROM replies", 4),
    "another order": ("UPDATE replies SET id = 1000 - id", 0),
    "another size": ("UPDATE replies SET bytes = bytes + 1", 0),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_rows_are_held_against_what_the_set_was_made_from(
    done: Path, tmp_path: Path, what: str
) -> None:
    folder = Path(shutil.copytree(done, tmp_path / "copy"))
    assert missing_rows(folder, Ledger(folder / "ledger").entries()) == []
    statement, least = CHANGES[what]
    change(folder / "ledger", statement)
    assert len(missing_rows(folder, Ledger(folder / "ledger").entries())) >= least
    if not least:
        assert [*verify(Ledger(folder / "ledger"), Ledger(folder / "ledger").entries())] == []


def test_the_order_of_rows_decides_nothing(done: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(done, tmp_path / "copy"))
    ledger: Callable[[], Ledger] = lambda: Ledger(folder / "ledger")  # noqa: E731
    before = ledger().accepted(1)
    change(folder / "ledger", "UPDATE replies SET id = 1000 - id")
    assert ledger().accepted(1) == before
