"""A client's reply under a private mode: what it holds, what it costs, and when there is none."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, Context, Message, MessageType, RecordDict

import client_app
from fdd_flower.config import Config, to_run_config
from fdd_flower.distillers.base import Plan
from fdd_flower.privacy import budget, lifetime
from fdd_flower.privacy.accountant import Spend
from fdd_flower.schema import Column, normalisation_of
from fdd_flower.wire.records import ARRAYS, CONFIG, META, METRICS, plan_record, to_bytes
from tests.attacks import scene
from tests.attacks.scene import SHAPE, message

COUNTS = (30, 20, 10)
Node = Mapping[str, Any]


def plan() -> Plan:
    return replace(scene.plan(), classes=("0", "1", "2"))


def write(path: Path, counts: tuple[int, ...] = COUNTS, *, more: int = 0) -> str:
    """Write records of so many classes, and `more` of the first one; return the path."""
    rng = np.random.default_rng(0)
    inputs = rng.random((sum(counts) + more, *SHAPE)).astype(np.float32)
    labels = np.repeat(np.arange(len(counts)), counts).tolist() + [0] * more
    np.savez(path, x=inputs, y=np.array(labels))
    return str(path)


@pytest.fixture
def node(tmp_path: Path) -> dict[str, Any]:
    return {
        "client-name": "ward",
        "data-path": write(tmp_path / "own.npz"),
        "privacy.folder": str(tmp_path / "budget"),
        "privacy.max-epsilon": 1.0,
    }


def reply_to(node: Node, *, nonce: str = "", round_: int = 1, **settings: Any) -> RecordDict:
    """Return what a client answers, in a process of its own as far as it remembers."""
    named = {name.replace("__", ".").replace("_", "-"): v for name, v in settings.items()}
    config = to_run_config(Config()) | {
        "privacy.mode": "dp-moments",
        "privacy.epsilon": 0.5,
        "num-server-rounds": 1,
        "data.name": "npz",
    }
    config |= named
    its = replace(plan(), round=round_, nonce=nonce or plan().nonce)
    content = RecordDict({ARRAYS: ArrayRecord(), CONFIG: plan_record(its)})
    asked = Message(content, 1, MessageType.TRAIN)
    asked.metadata.__dict__["_message_id"] = "asked"
    context = Context(
        run_id=1, node_id=1, node_config=dict(node), state=RecordDict(), run_config=config
    )
    return client_app.train(asked, context).content


def release_in(content: RecordDict) -> bytes:
    assert "refused" not in content[META]
    return content[ARRAYS]["release"].data  # type: ignore[index, union-attr]


def refusal_in(content: RecordDict) -> str:
    """Return the word of a refusal, which holds nothing else."""
    assert not content[ARRAYS]
    assert set(content[META]) == {"schema", "client", "nonce", "round", "refused"}
    assert set(content[METRICS]) == {"seconds"}
    return str(content[META]["refused"])  # type: ignore[index]


def charges(node: Node) -> int:
    (path,) = Path(node["privacy.folder"]).glob("*.sqlite")
    with sqlite3.connect(path) as db:
        return db.execute("SELECT count(*) FROM charges").fetchone()[0]


def shape_of(content: RecordDict) -> Any:
    """Return all of a reply but the release's bytes, of which it has the number."""
    arrays = {name: (a.dtype, a.shape, len(a.data)) for name, a in content[ARRAYS].items()}  # type: ignore[union-attr]
    return set(content), arrays, dict(content[META]), dict(content[METRICS])  # type: ignore[call-overload]


def test_a_reply_holds_what_is_allow_listed_and_nothing_else(node: Node) -> None:
    records, arrays, meta, metrics = shape_of(reply_to(node))
    assert records == {"arrays", "meta", "metrics"}
    assert list(arrays) == ["release"]
    assert meta == {"schema": 1, "client": "ward", "nonce": plan().nonce, "round": 1}
    assert metrics == {"seconds": 0.0}


@pytest.mark.parametrize(
    ("counts", "more"),
    [(COUNTS, 1), ((30, 20), 0), ((1,), 0), ((0, 0, 1), 0), ((3000, 0, 0), 0)],
    ids=["one record more", "a class less", "one record", "another one", "one class, large"],
)
def test_other_records_give_a_reply_of_the_same_form_and_length(
    tmp_path: Path, node: Node, counts: tuple[int, ...], more: int
) -> None:
    other = {**node, "data-path": write(tmp_path / "other.npz", counts, more=more)}
    one, two = reply_to(node), reply_to(other)
    assert shape_of(one) == shape_of(two)
    assert len(to_bytes(one)) == len(to_bytes(two))
    wired = [len(to_bytes(message(content, 1).content)) for content in (one, two)]
    assert wired[0] == wired[1] == len(to_bytes(one))
    assert release_in(one) != release_in(two)


def test_the_same_question_has_the_same_answer_and_one_charge(node: Node) -> None:
    first = to_bytes(reply_to(node))
    assert {to_bytes(reply_to(node)) for _ in range(5)} == {first}
    # not even the records are needed again
    Path(node["data-path"]).unlink()
    assert to_bytes(reply_to(node)) == first
    assert charges(node) == 1


OTHERS: list[dict[str, Any]] = [
    {"round_": 2},
    {"nonce": "fedcba9876543210"},
    {"privacy__sigma": 21.0},
    {"privacy__rows": 7},
    {"data__label": "other"},
    {"data__window": 7},
]


def test_no_choice_of_a_schema_makes_a_client_refuse_for_one_record(
    tmp_path: Path, node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that asks who is 87 gets releases alike, pays for each, and reads no log."""
    caplog.set_level("INFO", logger="flwr")
    (tmp_path / "own.csv").write_text("age,label\n" + "30,0\n" * 9 + "87,1\n")
    its = {**node, "data-path": str(tmp_path / "own.csv")}
    forms = []
    for marker in ("86", "87", "88"):
        column = Column(name="age", kind="number", centre=50.0, scale=20.0, missing=(marker,))
        asked = replace(plan(), columns=(column,), label="label", feature_shape=(1,))
        asked = replace(asked, normalisation=normalisation_of((column,)))
        monkeypatch.setattr("tests.client.test_release.plan", lambda asked=asked: asked)
        found = reply_to(its, data__name="table", privacy__epsilon=1.0, privacy__sigma=20.0)
        assert release_in(found)
        forms.append((shape_of(found), len(to_bytes(found))))
    assert forms[0] == forms[1] == forms[2]
    assert charges(node) == 3
    said = "1 of 10 records do not fit and are left out: column 'age' in record 10"
    assert caplog.text.count(said) == 1  # the owner finds out


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_client_with_no_record_that_fits_releases_noise(
    tmp_path: Path, node: Node, count: int
) -> None:
    none = {**node, "data-path": str(tmp_path / "none.npz")}
    np.savez(none["data-path"], x=np.zeros((count, *SHAPE), np.float32), y=np.full(count, 9))
    one, two = reply_to(node), reply_to(none)
    assert release_in(one) != release_in(two)
    assert shape_of(one) == shape_of(two)
    assert len(to_bytes(one)) == len(to_bytes(two))


@pytest.mark.parametrize("other", OTHERS)
def test_another_question_is_another_release(node: Node, other: dict[str, Any]) -> None:
    first = release_in(reply_to(node, privacy__sigma=20.0))
    changed: dict[str, Any] = {"privacy__sigma": 20.0} | other
    assert release_in(reply_to(node, **changed)) != first
    assert charges(node) == 2


@pytest.mark.parametrize("other", [OTHERS[0], *OTHERS[3:], {"privacy__epsilon": 0.45}])
def test_a_run_is_held_to_the_epsilon_that_it_promised(node: Node, other: dict[str, Any]) -> None:
    first = reply_to(node)
    assert refusal_in(reply_to(node, **other)) == "BudgetError"
    assert charges(node) == 1
    assert to_bytes(reply_to(node)) == to_bytes(first)


def test_what_does_not_make_a_release_does_not_make_another(node: Node) -> None:
    first = release_in(reply_to(node))
    others: list[dict[str, Any]] = [{"training__steps": 7}, {"strategy__quorum": 2}]
    for other in others:
        assert release_in(reply_to(node, **other)) == first
    assert charges(node) == 1


def test_a_crash_between_the_charge_and_the_release_costs_nothing_more(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    for name in ("payload", "freeze"):
        with monkeypatch.context() as patch:
            patch.setattr(lifetime, name, crash)
            with pytest.raises(KeyboardInterrupt):
                reply_to(node)
        assert charges(node) == 1
    first = release_in(reply_to(node))
    assert release_in(reply_to(node)) == first
    assert charges(node) == 1


class TouchedError(BaseException):
    """The records were looked for; no client answers this one with a refusal."""


@pytest.fixture
def untouched(node: Node, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Give a node without records; whoever looks for them fails."""

    def touched(*_: Any, **__: Any) -> None:
        raise TouchedError

    monkeypatch.setattr("fdd_flower.client.respond.client_data", touched)
    return {**node, "data-path": "/nowhere/records.npz"}


def test_an_exhausted_client_refuses_before_its_records_are_touched(
    untouched: Node, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(TouchedError):
        reply_to(untouched, privacy__epsilon=1.0)  # charged: this budget is spent
    for _ in range(3):
        refused = reply_to(untouched, nonce="f" * 16)
        assert refusal_in(refused) == "BudgetError"
        assert refused[METRICS]["seconds"] == 0.0  # type: ignore[index]
    assert "privacy.max-epsilon: expected at most 1.0" in caplog.text
    assert charges(untouched) == 1


def test_a_budget_is_not_charged_for_records_that_the_server_names(
    tmp_path: Path, node: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    its = {name: value for name, value in node.items() if name != "data-path"}
    its |= {"partition-id": 0, "num-partitions": 1, "state-dir": str(tmp_path)}
    refused = reply_to(its, data__path=node["data-path"])
    assert refusal_in(refused) == "ConfigError"
    assert "node config data-path: expected the path of this client's own records" in caplog.text
    assert not Path(node["privacy.folder"]).exists()


@pytest.mark.parametrize("mode", ["dp-moments", "none"])
def test_what_a_library_raises_does_not_leave(
    node: Node, mode: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def read(*_: Any, **__: Any) -> None:
        raise ValueError("secret")

    monkeypatch.setattr("fdd_flower.client.records.load_own", read)
    own = {name: node[name] for name in node if mode != "none" or not name.startswith("privacy.")}
    refused = reply_to(own, privacy__mode=mode)
    assert refusal_in(refused) == "UnexpectedError"
    assert b"secret" not in to_bytes(refused)
    assert "secret" in caplog.text  # the owner finds out why


def test_where_nothing_is_exhausted_missing_records_are_what_is_missing(node: Node) -> None:
    gone = {**node, "data-path": "/nowhere/records.npz"}
    assert refusal_in(reply_to(gone)) == "DataError"


@pytest.mark.parametrize(
    ("run", "own", "kind"),
    [
        ({"privacy__epsilon": 1.5}, {}, "BudgetError"),
        ({"privacy__epsilon": 1.0, "privacy__delta": 1e-3}, {}, "BudgetError"),
        ({"privacy__epsilon": 1.0}, {"privacy.delta": 1e-9}, "BudgetError"),
        ({"privacy__sigma": 0.5}, {}, "BudgetError"),
        ({}, {"privacy.max-releases": 1}, ""),
        ({"privacy__epsilon": 0.01}, {}, ""),
        ({"privacy__mode": "none", "privacy__epsilon": 1.0}, {}, "ConfigError"),
        ({"privacy__mode": "none", "strategy__name": "fedavg"}, {}, "ConfigError"),
        ({"privacy__mode": "none", "strategy__name": "sketch"}, {}, "ConfigError"),
        ({"strategy__name": "fedavg"}, {}, "ConfigError"),
        ({"strategy__name": "sketch"}, {}, "ConfigError"),
        ({"privacy__sigma": 4.0}, {"privacy.max-epsilon": "much"}, "ConfigError"),
        ({}, {"privacy.max-epsilom": 9.0}, "ConfigError"),
    ],
)
def test_a_server_can_only_ask_for_less(
    untouched: Node, run: dict[str, Any], own: dict[str, Any], kind: str
) -> None:
    if not kind:
        with pytest.raises(TouchedError):
            reply_to({**untouched, **own}, **run)
        return
    assert refusal_in(reply_to({**untouched, **own}, **run)) == kind


def test_the_cost_of_all_runs_together_is_what_counts(node: Node) -> None:
    answers = [reply_to(node, nonce=f"{run:016}", privacy__epsilon=0.4) for run in range(8)]
    answered = [content for content in answers if "refused" not in content[META]]
    assert 2 < len(answered) < 8  # by the square root of their number, not by their number
    its = budget.Budget.of(node, run="", epsilon=0.4, delta=1e-5)
    spent, releases = its.spent()
    assert releases == len(answered)
    assert spent <= 1.0
    assert {refusal_in(content) for content in answers[len(answered) :]} == {"BudgetError"}
    with pytest.raises(Exception, match="max-epsilon"):
        its.reserve("another", Spend(5.0))
