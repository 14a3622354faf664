"""Clients are killed, or hang: the round goes on without them, and in time."""

from __future__ import annotations

import time

import pytest

from tests.faults.federation import CLIENTS, DEADLINE, ROUNDS, Federation, result

LATE = 5.0  # seconds that a deadline may be missed by
# Seconds: Flower itself gives a node up a minute after its last heartbeat, which can be half a
# minute old when the node is stopped.
SOONER = 25.0
LATER = 180.0  # seconds: longer than Flower takes to notice that a client's process is gone
WORK = {"distiller__steps": 1_000_000, "distiller__seconds": 15.0}  # of a client, in a round


def _went_on(federation: Federation, *, first: int) -> None:
    assert federation.finished() == "finished:completed", federation.logs()
    rows = federation.rounds()
    assert len(rows) == ROUNDS
    assert rows[0]["replies"] == first
    assert all(row["replies"] >= 2 for row in rows)


@pytest.mark.parametrize("moment", ["before", "while", "after"])
def test_a_client_is_killed(federation, attempt, moment):
    federation.start().submit(**(WORK if moment == "while" else {}))
    federation.until("work at b", lambda: federation.client_app("b"))
    if moment == "while":
        time.sleep(10)  # its imports take less, and its work takes longer
    if moment == "after":
        federation.until("b to be done", lambda: not federation.client_app("b"))
    federation.kill(federation.nodes["b"])
    _went_on(federation, first=3 if moment == "after" else 2)


def test_a_client_hangs(federation, attempt):
    federation.start().submit(strategy__deadline=SOONER)
    federation.until("first round to begin", lambda: f"[ROUND 1/{ROUNDS}]" in federation.log())
    began = time.monotonic()
    federation.until("work at b", lambda: federation.client_app("b"))
    federation.pause(federation.nodes["b"])
    federation.until("deadline", lambda: "passed: late are 1 of 3 clients" in federation.log())
    took = time.monotonic() - began
    print(f"a deadline of {SOONER:g} s took {took:.1f} s")  # for benchmarks/results/trust.md
    assert SOONER - 1 < took < SOONER + LATE
    federation.until("first round", federation.rounds)
    federation.pause(federation.nodes["b"], resume=True)  # its reply now comes too late
    _went_on(federation, first=2)


def test_too_few_are_left(federation, attempt):
    federation.start().submit()
    federation.until("work at c", lambda: federation.client_app("c"))
    began = time.monotonic()
    for name in ("b", "c"):
        federation.kill(federation.nodes[name])
    assert federation.finished() != "finished:completed"
    assert time.monotonic() - began < DEADLINE + 60  # then Flower takes note
    assert "strategy.quorum = 2 usable replies" in federation.summary()["status"]


def _in_its_second_round(federation: Federation, *, deadline: float = DEADLINE) -> Federation:
    federation.start().submit(strategy__quorum=len(CLIENTS), strategy__deadline=deadline)
    first = federation.until("work at b", lambda: federation.client_app("b"))
    federation.until("first round", federation.rounds)
    # on a busy machine the first process ends after the second has begun
    federation.until("more work at b", lambda: federation.client_app("b") not in (None, first))
    return federation


def test_a_run_that_needs_every_client_is_resumed(federation, whole, attempt):
    _in_its_second_round(federation).kill(federation.nodes["b"])
    assert federation.finished() != "finished:completed"
    assert f"strategy.quorum = {len(CLIENTS)} usable replies" in federation.summary()["status"]
    federation.start_node("b")
    federation.until_online(len(CLIENTS))
    assert federation.resumed() == whole


def test_the_process_of_a_client_is_killed(federation, whole, attempt):
    _in_its_second_round(federation, deadline=LATER)
    federation.kill(federation.until("its process", lambda: federation.client_app("b")))
    if federation.finished() == "finished:completed":
        # before it had its message: its SuperNode starts another one, half a minute later
        assert result(federation.out) == whole
    else:
        # with its message: after a minute its SuperNode says so, and it takes part again when asked
        assert "'client-error'" in federation.summary()["status"], federation.logs()
        assert federation.resumed() == whole


def test_a_client_comes_back(federation, attempt):
    federation.start().submit()
    federation.until("work at b", lambda: federation.client_app("b"))
    federation.kill(federation.nodes["b"])
    federation.start_node("b")
    assert federation.finished() == "finished:completed", federation.logs()
    rows = federation.rounds()
    assert [rows[0]["replies"], rows[-1]["replies"]] == [2, 3]


def test_two_answer_as_one_client(federation, attempt):
    federation.start()
    federation.start_node("b", twin="-again")
    federation.until_online(4)
    federation.submit()
    assert federation.finished() == "finished:completed", federation.logs()
    assert all((row["replies"], row["rejected"]) == (3, 1) for row in federation.rounds())
    assert sum(verdict == "duplicate-client" for _, _, verdict in federation.verdicts()) == ROUNDS
