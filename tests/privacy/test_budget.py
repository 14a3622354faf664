import hashlib
import os
import sqlite3
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import pytest

from fdd_flower.errors import BudgetError, ConfigError
from fdd_flower.privacy import budget as module
from fdd_flower.privacy import lifetime
from fdd_flower.privacy.accountant import Spend, sigma_for
from fdd_flower.privacy.budget import Budget, key_of


def _budget(folder: Path, **changes) -> Budget:
    values = {"path": folder / "records.sqlite", "max_epsilon": 1.0, "delta": 1e-5, "run": "r"}
    return Budget(**(values | changes))


def _rows(budget: Budget) -> list[tuple]:
    with sqlite3.connect(budget.path) as db:
        return db.execute("SELECT * FROM charges").fetchall()


def _never() -> bytes:
    raise AssertionError("data was touched")


def test_a_release_is_charged_once_and_stays_what_it_was(tmp_path):
    first = _budget(tmp_path)
    assert first.release("k", Spend(8.0), lambda: b"noise") == b"noise"
    assert _budget(tmp_path).release("k", Spend(8.0), _never) == b"noise"
    assert first.spent()[1] == 1


def test_the_budget_is_over_all_runs_and_ends_before_data_is_touched(tmp_path):
    sigma = sigma_for(1, 1e-5, releases=2)
    for run in ("a", "b"):
        assert _budget(tmp_path, run=run).release(run, Spend(sigma), lambda: b"x") == b"x"
    with pytest.raises(BudgetError, match=r"privacy\.max-epsilon: expected at most 1\.0"):
        _budget(tmp_path, run="c").release("c", Spend(sigma), _never)
    assert len(_rows(_budget(tmp_path))) == 2


def test_a_run_holds_to_its_own_promise_and_cannot_ask_beyond_the_clients(tmp_path):
    stricter = _budget(tmp_path, run_epsilon=0.1)
    with pytest.raises(BudgetError, match="as the run promised"):
        stricter.release("k", Spend(4.0), _never)
    with pytest.raises(BudgetError, match=r"privacy\.epsilon: expected at most 1\.0; got 2"):
        _budget(tmp_path, run_epsilon=2.0).release("k", Spend(100.0), _never)


def test_caps_of_releases_and_seeds(tmp_path):
    budget = _budget(tmp_path, max_releases=2, max_seeds=3)
    with pytest.raises(BudgetError, match="max-releases"):
        budget.release("k", Spend(100.0, 3), _never)
    budget.check_seeds(3)
    with pytest.raises(BudgetError, match="max-seeds"):
        budget.check_seeds(4)


def test_another_spend_under_the_same_key_is_refused(tmp_path):
    _budget(tmp_path).reserve("k", Spend(8.0))
    with pytest.raises(BudgetError, match="as charged"):
        _budget(tmp_path).reserve("k", Spend(7.0))
    with pytest.raises(BudgetError, match="no charge"):
        _budget(tmp_path).freeze("other", b"x")


class _CrashError(BaseException):
    pass


STEPS = ("create", "charges", "add", "payload", "freeze")


def _crashing(real, *, after: bool):
    """Return `real`, with a crash before it does anything, or once it is done."""

    def fail(*args):
        if after:
            real(*args)
        raise _CrashError

    return fail


def test_bytes_and_ledger_are_the_same_after_fifty_crashes(tmp_path, monkeypatch):
    out = []

    def draw() -> bytes:
        return os.urandom(16)

    for number in range(50):
        step, after = (*STEPS, "draw", "none")[number % 7], bool(number // 7 % 2)
        with monkeypatch.context() as patch:
            if step in STEPS:
                patch.setattr(lifetime, step, _crashing(getattr(lifetime, step), after=after))
            make = _crashing(draw, after=after) if step == "draw" else draw
            with suppress(_CrashError):
                out.append(_budget(tmp_path).release("k", Spend(8.0), make))
    final = _budget(tmp_path).release("k", Spend(8.0), _never)
    assert set(out) == {final}
    assert len(out) > 20
    assert len(_rows(_budget(tmp_path))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["records.sqlite"]


def _killed(path: Path, at: int) -> None:
    lines = 0

    def trace(statement: str) -> None:
        nonlocal lines
        lines += 1
        if lines == at:
            os._exit(9)

    real = sqlite3.connect

    def connect(*args, **kwargs):
        db = real(*args, **kwargs)
        db.set_trace_callback(trace)
        return db

    module.lifetime.sqlite3.connect = connect  # type: ignore[assignment]
    _budget(path).release("k", Spend(8.0), lambda: os.urandom(200_000))
    os._exit(0)


def test_a_process_killed_at_any_statement_leaves_a_ledger_that_goes_on(tmp_path):
    context, seen, killed = get_context("fork"), set(), 0
    for at in range(1, 40):
        child = context.Process(target=_killed, args=(tmp_path, at))
        child.start()
        child.join()
        killed += child.exitcode == 9
        there = _budget(tmp_path).frozen("k")
        seen |= {there} if there is not None else set()
    assert killed > 10
    assert len(seen) == 1
    assert len(_rows(_budget(tmp_path))) == 1


def _race(path: Path, queue) -> None:
    queue.put(_budget(path).release("k", Spend(8.0), lambda: os.urandom(16)))


def test_two_processes_release_the_same_bytes(tmp_path):
    context = get_context("fork")
    queue = context.Queue()
    children = [context.Process(target=_race, args=(tmp_path, queue)) for _ in range(4)]
    for child in children:
        child.start()
    found = {queue.get(timeout=60) for _ in children}
    for child in children:
        child.join()
    assert len(found) == 1
    assert len(_rows(_budget(tmp_path))) == 1


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE charges SET sigma = 1000.0 WHERE key = 'a'",
        "UPDATE charges SET rate = 0.001 WHERE key = 'b'",
        "UPDATE charges SET rate = 'x' WHERE key = 'b'",
        "DELETE FROM charges WHERE key = 'b'",
        "DELETE FROM charges",
        "DELETE FROM head",
        "DROP TABLE charges",
        "PRAGMA user_version = 0",
        "UPDATE charges SET id = 3 - id + 10",
    ],
)
def test_a_changed_ledger_is_refused(tmp_path, change):
    budget = _budget(tmp_path)
    for key in ("a", "b"):
        budget.release(key, Spend(20.0), key.encode)
    with sqlite3.connect(budget.path) as db:
        db.execute(change)
    with pytest.raises(BudgetError, match=r"records\.sqlite"):
        budget.release("c", Spend(1000.0), _never)


@pytest.mark.parametrize("size", [0, 1, 100, 4096, 6000])
def test_a_truncated_ledger_is_refused(tmp_path, size):
    budget = _budget(tmp_path)
    budget.release("a", Spend(20.0), lambda: b"x" * 50_000)
    os.truncate(budget.path, size)
    with pytest.raises(BudgetError, match=r"records\.sqlite"):
        budget.release("c", Spend(1000.0), _never)


RAW = f"payload = x'00', sha256 = '{hashlib.sha256(bytes(1)).hexdigest()}'"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE frozen SET payload = x'00' WHERE key = 'a'",
        f"UPDATE frozen SET {RAW} WHERE key = 'a'",
        f"UPDATE frozen SET {RAW} WHERE key = 'b'",
        "DELETE FROM frozen",
        "DELETE FROM frozen WHERE key = 'b'",
        "UPDATE head SET count = 2",
        "UPDATE charges SET id = 9 WHERE key = 'a'",
        "DROP TABLE frozen",
        "UPDATE frozen SET key = 'c' WHERE key = 'b'",
        "UPDATE frozen SET id = 3 - id + 10",
        "INSERT INTO frozen VALUES (9, 'c', 'd', 'e', x'00')",
    ],
)
def test_a_frozen_release_that_changed_is_neither_sent_nor_drawn_anew(tmp_path, change):
    budget = _budget(tmp_path)
    for key in ("a", "b"):
        budget.release(key, Spend(20.0), key.encode)
    with sqlite3.connect(budget.path) as db:
        db.execute(change)
    with pytest.raises(BudgetError, match=r"records\.sqlite"):
        budget.release("a", Spend(20.0), _never)
    if "payload = x'00' WHERE" not in change:  # a payload is looked at when it is asked for
        with pytest.raises(BudgetError, match=r"records\.sqlite"):
            budget.release("new", Spend(1000.0), _never)


VERSION_1 = """
CREATE TABLE charges (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, run TEXT NOT NULL, sigma REAL NOT NULL,
    releases INTEGER NOT NULL, rate REAL NOT NULL, chain TEXT NOT NULL
);
CREATE TABLE head (count INTEGER NOT NULL, chain TEXT NOT NULL);
CREATE TABLE frozen (key TEXT PRIMARY KEY, sha256 TEXT NOT NULL, payload BLOB NOT NULL);
PRAGMA user_version = 1;
"""


def _version_1(budget: Budget, keys: str, payload: str = "{}") -> None:
    """Write a ledger as version 1 did: only charges are chained."""
    chain = ""
    with sqlite3.connect(budget.path) as db:
        db.executescript(VERSION_1)
        for place, key in enumerate(keys, 1):
            facts = (chain, key, "r", (20.0).hex(), 1, (1.0).hex())
            chain = hashlib.sha256(repr(facts).encode()).hexdigest()
            values = (place, key, "r", 20.0, 1, 1.0, chain)
            db.execute("INSERT INTO charges VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            sha256 = hashlib.sha256(key.encode()).hexdigest()
            frozen = (key, sha256, payload.format(key).encode())
            db.execute("INSERT INTO frozen VALUES (?, ?, ?)", frozen)
        db.execute("INSERT INTO head VALUES (?, ?)", (len(keys), chain))


def test_a_ledger_of_the_version_before_is_brought_to_this_one(tmp_path):
    budget = _budget(tmp_path)
    _version_1(budget, "ab")
    assert budget.release("b", Spend(20.0), _never) == b"b"
    assert budget.release("c", Spend(20.0), lambda: b"c") == b"c"
    assert budget.release("a", Spend(20.0), _never) == b"a"
    assert budget.spent()[1] == 3
    with sqlite3.connect(budget.path) as db:
        db.execute("DELETE FROM frozen")
    with pytest.raises(BudgetError, match=r"changed|missing"):
        budget.release("a", Spend(20.0), _never)


def test_one_with_a_changed_release_is_refused(tmp_path):
    budget = _budget(tmp_path)
    _version_1(budget, "ab", payload="{}!")
    with pytest.raises(BudgetError, match="a frozen release that changed"):
        budget.release("c", Spend(20.0), _never)
    with sqlite3.connect(budget.path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)  # nothing of it was written


def test_a_client_with_data_of_its_own_has_its_own_maximum(tmp_path):
    node = {"data-path": str(tmp_path / "x.csv"), "privacy.folder": str(tmp_path)}
    asked = {"run": "r", "epsilon": 10.0, "delta": 1e-3, "scratch": tmp_path / "run"}
    budget = Budget.of(node, **asked)
    assert (budget.max_epsilon, budget.delta, budget.path.parent) == (1.0, 1e-5, tmp_path)
    with pytest.raises(BudgetError):
        budget.reserve("k", Spend(100.0))
    assert budget.path == Budget.of(node, run="s", epsilon=1.0, delta=1e-5).path
    other = Budget.of({**node, "privacy.dataset": "hospital"}, **asked)
    assert other.path != budget.path


def test_a_simulated_client_has_the_runs_budget_in_the_runs_folder(tmp_path):
    asked = {"run": "r", "epsilon": 10.0, "delta": 1e-3, "scratch": tmp_path}
    paths = set()
    for client in ("0", "1"):
        budget = Budget.of({"partition-id": int(client)}, client=client, **asked)
        assert (budget.max_epsilon, budget.delta, budget.path.parent) == (10.0, 1e-3, tmp_path)
        paths.add(budget.path)
    assert len(paths) == 2


@pytest.mark.parametrize(
    "node",
    [
        {"privacy.max-epsilons": 1.0},
        {"privacy.max-epsilon": "1"},
        {"privacy.max-epsilon": 0.0},
        {"privacy.delta": 0.5},
        {"privacy.max-releases": 1.5},
        {"privacy.folder": "here"},
        {"privacy.dataset": 3},
    ],
)
def test_a_node_config_that_is_not_understood_is_refused(node):
    with pytest.raises(ConfigError, match=r"node config privacy\."):
        Budget.of(node, run="r", epsilon=1.0, delta=1e-5)


def test_keys_differ_by_run_round_and_every_fact():
    keys = {
        key_of(run, round_, {"mode": mode})
        for run in ("a", "b")
        for round_ in (1, 2)
        for mode in ("dp-dm", "dp-gm")
    }
    assert len(keys) == 8
