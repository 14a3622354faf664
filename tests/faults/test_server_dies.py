"""The server's processes are killed; the run is resumed and ends as if nothing had happened."""

from __future__ import annotations

import random
import time

from tests.faults.federation import CLIENTS, Federation


def _into_a_round(federation: Federation, attempt: int) -> None:
    """Let one round end, and some of the next one pass."""
    federation.start().submit()
    federation.until("first round", federation.rounds)
    time.sleep(random.Random(attempt).uniform(0, 8))


def test_the_server_app_is_killed(federation, whole, attempt):
    _into_a_round(federation, attempt)
    federation.kill(federation.server_app())
    assert federation.finished() != "finished:completed"
    assert federation.resumed() == whole


def test_the_superlink_is_killed_and_comes_back(federation, whole, attempt):
    _into_a_round(federation, attempt)
    federation.kill(federation.superlink)
    federation.start_superlink()
    federation.until_online(len(CLIENTS))
    assert federation.resumed() == whole


def test_all_machines_lose_power(federation, whole, attempt):
    _into_a_round(federation, attempt)
    for process in (federation.superlink, *federation.nodes.values()):
        federation.kill(process)
    federation.start()
    assert federation.resumed() == whole
