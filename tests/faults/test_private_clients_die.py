"""Private clients are killed again and again: each is charged once, and sends one release."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing, suppress

import pytest

from fdd_flower.ledger import Ledger
from fdd_flower.releases.coding import pack, payload_of
from tests.faults.federation import CLIENTS, Federation

# What a client's SuperNode is killed after, and for how many seconds it then lives at most.
MOMENTS = {"asked": 8.0, "charged": 0.2, "frozen": 0.2, "sending": 0.02, "sent": 0.5}
SAID = {
    "asked": "Receiving: train message",
    "sending": "Sending: train message",
    "sent": "Sent successfully",
}
CYCLES = 5  # in each of which all clients are killed
PRIVATE = {
    "num_server_rounds": 1,
    "strategy__min_nodes": len(CLIENTS),
    "strategy__quorum": len(CLIENTS),
    "privacy__mode": "dp-dm",
    "privacy__epsilon": 1.0,
}
ONLINE = "SuperNode ID:"


class Budgets:
    """The clients' own ledgers, read without the package's own code, and what they ever held."""

    def __init__(self, federation: Federation) -> None:
        self.folder = federation.folder / "budgets"
        self.seen: dict[str, set[tuple]] = {name: set() for name in CLIENTS}
        for name in CLIENTS:  # a second release of any run is beyond this
            words = f'privacy.max-epsilon=1.0 privacy.folder="{self.folder / name}"'
            federation.own[name] = words

    def stage(self, name: str) -> str:
        """Return how far the release of a client is; empty: nothing is charged."""
        for file in (self.folder / name).glob("*.sqlite"):
            with (
                suppress(sqlite3.OperationalError),  # it is being written, or was when all ended
                closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as db,
            ):
                charges = db.execute("SELECT * FROM charges").fetchall()
                frozen = db.execute("SELECT * FROM frozen").fetchall()
                self.seen[name] |= {*charges, *frozen}
                return "frozen" if frozen else "charged" if charges else ""
        return ""

    def release(self, name: str) -> bytes:
        """Return the one release that a client ever froze, for the one charge that it ever had."""
        assert self.stage(name) == "frozen"
        _, release = sorted(self.seen[name])
        return release[-1]


@pytest.fixture
def budgets(federation: Federation) -> Budgets:
    return Budgets(federation)


def _start(federation: Federation, name: str) -> None:
    """Start a SuperNode; one that was killed still counts as online for a minute."""
    log = f"node-{name}"
    before = federation.log(log).count(ONLINE)
    federation.start_node(name)
    federation.until(log, lambda: federation.log(log).count(ONLINE) > before)


def _kill_all(federation: Federation, budgets: Budgets, moments: dict[str, str], rng) -> list[str]:
    """Kill each SuperNode, with all that it started, once it is where `moments` says.

    Returns
    -------
    What each of them had done by then.
    """
    end = {name: len(federation.log(f"node-{name}")) for name in CLIENTS}
    due: dict[str, float] = {}
    deaths: list[str] = []

    def is_there(name: str) -> bool:
        moment, said = moments[name], federation.log(f"node-{name}")[end[name] :]
        if moment in SAID:
            return SAID[moment] in said
        return SAID["asked"] in said and budgets.stage(name) in (moment, "frozen")

    def all_dead() -> bool:
        for name in list(moments):
            if name not in due and is_there(name):
                due[name] = time.monotonic() + rng.uniform(0, MOMENTS[moments[name]])
            if time.monotonic() >= due.get(name, float("inf")):
                stage = budgets.stage(name) or "nothing charged"
                federation.kill(federation.nodes[name])
                deaths.append(f"{name}, {moments.pop(name)}: {stage}")
        return not moments

    federation.until("every SuperNode to be killed", all_dead, every=0.01)
    return deaths


def test_private_clients_release_once_however_often_they_die(federation, budgets, attempt):
    rng, deaths = random.Random(attempt), []
    federation.start_superlink()
    for name in CLIENTS:
        _start(federation, name)
    for cycle in range(CYCLES):
        federation.submit(**({"resume": str(federation.out)} if cycle else PRIVATE))
        moments = list(MOMENTS)[cycle:] + list(MOMENTS)[:cycle]
        deaths += _kill_all(federation, budgets, dict(zip(CLIENTS, moments, strict=False)), rng)
        federation.end_run()
        for name in CLIENTS:
            _start(federation, name)
    # and one that the server finds out about by itself
    federation.submit(resume=str(federation.out))
    deaths += _kill_all(federation, budgets, {"b": "asked"}, rng)
    assert federation.finished() != "finished:completed"
    federation.start_node("b")
    federation.until_online(len(CLIENTS))
    federation.submit(resume=str(federation.out))
    assert federation.finished() == "finished:completed", federation.logs()
    print(*deaths, sep="\n")

    ledger = Ledger(federation.out / "ledger")
    sent = {name: {e.sha256 for e in ledger.entries() if e.client == name} for name in CLIENTS}
    for name in CLIENTS:
        (sha256,) = sent[name]
        arrays = ledger.load_any(sha256)
        assert isinstance(arrays, Mapping)
        frozen = budgets.release(name)
        values = arrays["release"].long()
        bits = len(frozen) // -(-len(values) // 8)
        assert payload_of(pack(values, bits)) == frozen
