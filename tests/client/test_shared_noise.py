"""A server that plays others with whom a client shares noise: what the client does, and adds."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MessageType, RecordDict

import client_app
from fdd_flower.client import respond
from fdd_flower.client.release import send_release
from fdd_flower.config import Config, Scalar, from_run_config, to_run_config
from fdd_flower.methods._private import PRIVATE
from fdd_flower.privacy.noise import discrete_gaussian
from fdd_flower.releases.base import release_of
from fdd_flower.releases.terms import spend_of
from fdd_flower.secure_sum import masks
from fdd_flower.secure_sum.client import STATE, STEP
from fdd_flower.secure_sum.consistency import tags, told
from fdd_flower.secure_sum.identity import SIGNED
from fdd_flower.secure_sum.keys import Keys
from fdd_flower.secure_sum.protocol import Group, share
from fdd_flower.wire.records import ARRAYS, CONFIG, META, PEERS, plan_record, to_array_record
from tests.client.test_release import plan, write
from tests.secure_sum.test_company import node_of, write_keys

SETTINGS: dict[str, Scalar] = {
    "privacy.mode": "dp-moments",
    "privacy.epsilon": 1.0,
    "num-server-rounds": 1,
    "data.name": "npz",
    "sketch.secure-sum": True,
}


class Played:
    """A secure sum of real clients, the first of them with a budget, and of the server's own."""

    def __init__(self, nodes: list[dict[str, Any]], invented: int, **settings: Any) -> None:
        self.settings = to_run_config(Config()) | SETTINGS | settings
        self.cfg = from_run_config(self.settings)
        self.contexts = [
            Context(
                run_id=1, node_id=i, node_config=n, state=RecordDict(), run_config=self.settings
            )
            for i, n in enumerate(nodes)
        ]
        real = [self.asked(context, "keys") for context in self.contexts]
        theirs = self.theirs = [Keys.draw() for _ in range(invented)]
        keys = [one["keys"] for one in real] + [np.frombuffer(o.public, np.uint8) for o in theirs]
        nothing = np.zeros(SIGNED, np.uint8)
        signatures = [one.get("signature", nothing) for one in real] + [nothing] * invented
        signed = {"signatures": signatures} if np.any(signatures) else {}
        sent = [self.ask(context, "shares", keys=keys, **signed) for context in self.contexts]
        self.every = np.arange(len(keys))
        self.stays_out = sent[0] is None
        if self.stays_out:
            return
        rows = [one["shares"] for one in sent if one]
        group = Group(tuple(row.tobytes() for row in keys), self.cfg.strategy.quorum)
        self.group = group
        for its in theirs:
            found = share(its, group)
            rows.append(np.stack([np.frombuffer(found[p], np.uint8) for p in sorted(found)]))
        for place, context in enumerate(self.contexts):
            self.asked(context, "open", places=self.every, sealed=[its[place] for its in rows])

    def ask(self, context: Context, step: str, **arrays: Any) -> dict[str, np.ndarray] | None:
        """Return the arrays of an answer; None for a refusal."""
        config = ConfigRecord({**plan_record(plan()), STEP: step})
        peers = to_array_record({name: np.asarray(found) for name, found in arrays.items()})
        found = _answer(client_app.query, RecordDict({CONFIG: config, PEERS: peers}), context)
        return None if "refused" in found[META] else _arrays(found)

    def asked(self, context: Context, step: str, **arrays: Any) -> dict[str, np.ndarray]:
        found = self.ask(context, step, **arrays)
        assert found is not None
        return found

    def train(self, place: int = 0) -> RecordDict:
        """Ask for a masked release among all, and return the answer."""
        told = {"places": self.every, "clients": np.array([len(self.every)])}
        parts = {ARRAYS: ArrayRecord(), CONFIG: plan_record(plan()), PEERS: to_array_record(told)}
        return _answer(client_app.train, RecordDict(parts), self.contexts[place])


def _answer(ask: Any, content: RecordDict, context: Context) -> Any:
    message = Message(content, 1, MessageType.TRAIN)
    message.metadata.__dict__["_message_id"] = "asked"
    return ask(message, context).content


def _arrays(content: Any) -> dict[str, np.ndarray]:
    return {name: array.numpy() for name, array in content[ARRAYS].items()}


@pytest.fixture
def node(tmp_path: Path) -> dict[str, Any]:
    return {
        "data-path": write(tmp_path / "own.npz"),
        "privacy.folder": str(tmp_path / "budget"),
        "privacy.max-epsilon": 1.0,
    }


def charged(tmp_path: Path) -> bool:
    return (tmp_path / "budget").exists()


@pytest.mark.parametrize("without", ["", "data-path", "privacy."])
def test_a_server_that_plays_all_others_gets_no_release_of_less_noise(
    tmp_path: Path, node: dict[str, Any], without: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With a quorum of all that it plays, the client's own noise would be a third of it."""
    its = {name: value for name, value in node.items() if not without or without not in name}
    if "data-path" not in its:
        its |= {"partition-id": 0, "num-partitions": 2}
    found = Played([its], 8, **{"strategy.quorum": 9}).train()
    assert found[META]["refused"] == "ConfigError"  # type: ignore[index]
    refused = "secure-sum-known-clients: expected the clients that this one knows"
    if without == "data-path":  # its budget is for no records
        refused = "node config data-path: expected the path of this client's own records"
    assert refused in caplog.text
    assert not charged(tmp_path)


@pytest.mark.parametrize(
    ("invented", "quorum", "colluding", "why"),
    [
        (7, 9, 0, "expected 8 other clients of this sum"),
        (7, 8, 0, "clients of the secure sum"),  # so many strangers could read it
        (2, 4, 1, "expected 2 other clients of this sum"),
        (2, 4, 2, "strategy.quorum: expected above 4, for a secure sum of 4 clients"),
    ],
)
def test_nor_does_one_that_plays_most_of_them(
    tmp_path: Path,
    node: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    invented: int,
    quorum: int,
    colluding: int,
    why: str,
) -> None:
    write_keys(tmp_path, 2)
    nodes = [node | node_of(tmp_path, 0), node_of(tmp_path, 1)]
    settings = {"strategy.quorum": quorum, "privacy.colluding": colluding}
    played = Played(nodes, invented, **settings)
    if not played.stays_out:
        found = played.train()
        assert found[META]["refused"] == "ConfigError"  # type: ignore[index]
    assert why in caplog.text
    assert not charged(tmp_path)


@pytest.mark.parametrize(("invented", "quorum"), [(0, 4), (1, 4), (1, 5), (2, 5)])
def test_a_client_adds_the_noise_that_strangers_leave_out(
    tmp_path: Path,
    node: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    invented: int,
    quorum: int,
) -> None:
    asked: list[float] = []

    def noise(count: int, sigma: float) -> np.ndarray:
        asked.append(sigma)
        return discrete_gaussian(count, sigma)

    method = replace(PRIVATE, client=partial(send_release, noise=noise))
    monkeypatch.setattr(respond, "method_of", lambda cfg: method)
    known = 5
    write_keys(tmp_path, known)
    nodes = [node_of(tmp_path, number) for number in range(known)]
    settings: dict[str, Any] = {"strategy.quorum": quorum, "privacy.sigma": 4.0}
    played = Played([nodes[0] | node, *nodes[1:]], invented, **settings)
    assert "refused" not in played.train()[META]  # type: ignore[operator]
    release = release_of(played.cfg, plan())
    spreads = np.array(sorted(set(release.spread.flatten().tolist())))
    own = (np.array(asked) / release.unit / spreads) ** 2
    # who is no stranger adds its share at least, and this one the rest
    others = (quorum - invented - 1) * spend_of(played.cfg).sigma ** 2 / quorum
    assert (own + others >= spend_of(played.cfg).sigma ** 2).all()
    assert own == pytest.approx(spend_of(played.cfg).sigma ** 2 * (1 + invented) / quorum)
    assert math.isclose(own[0], own[-1])


@pytest.mark.parametrize(("stayed", "gives"), [([0, 1, 2, 3], True), ([0, 1, 2, 4], False)])
def test_as_many_that_it_knows_must_stay_as_its_noise_counts_on(
    tmp_path: Path, node: dict[str, Any], stayed: list[int], gives: bool
) -> None:
    """The fifth is the server's, which vouches for any list, and leaves out one that is known."""
    write_keys(tmp_path, 4)
    own = [{"privacy.folder": str(tmp_path / f"b{n}")} | node_of(tmp_path, n) for n in range(4)]
    played = Played([node | its for its in own], 1, **{"strategy.quorum": 4})
    (its,), group, every = played.theirs, played.group, list(range(5))
    before = [_arrays(played.train(place))["tags"] for place in range(4)]
    terms = played.contexts[0].state[STATE]["terms"]
    assert isinstance(terms, bytes)
    before.append(tags(its, group, every, told(group, every, terms=terms)))
    word = []
    for place in stayed:
        if place == 4:
            word.append(tags(its, group, stayed, told(group, every, stayed, terms=terms)))
            continue
        asked = {"places": stayed, "tags": [before[other][place] for other in stayed]}
        word.append(played.asked(played.contexts[place], "confirm", **asked)["tags"])
    asked = {"places": stayed, "givers": stayed, "tags": [rows[0] for rows in word]}
    assert (played.ask(played.contexts[0], "unmask", **asked) is not None) is gives


@pytest.mark.parametrize(
    ("other", "gives"),
    [
        ({}, True),
        ({"privacy.sigma": 0.05}, False),
        ({"privacy.mode": "dp-dm", "distiller.networks": 2}, False),
        ({"num-server-rounds": 2}, False),
    ],
)
def test_others_add_noise_by_the_settings_that_a_client_was_told(
    tmp_path: Path, node: dict[str, Any], other: dict[str, Any], gives: bool
) -> None:
    """The server tells the first client, whose budget is small, of more noise than the others."""
    write_keys(tmp_path, 4)
    own = [{"privacy.folder": str(tmp_path / f"b{n}")} | node_of(tmp_path, n) for n in range(4)]
    rich = {"privacy.max-epsilon": 1e6}
    nodes = [node | own[0], *(node | its | rich for its in own[1:])]
    played = Played(nodes, 0, **{"strategy.quorum": 4, "privacy.sigma": 4.0})
    for context in played.contexts[1:]:
        context.run_config = played.settings | other
    every = list(range(4))
    before = [_arrays(played.train(place))["tags"] for place in every]
    asked = {"places": every, "tags": [rows[0] for rows in before]}
    assert (played.ask(played.contexts[0], "confirm", **asked) is not None) is gives


def test_a_sum_that_could_wrap_is_refused_before_any_charge(
    tmp_path: Path, node: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_keys(tmp_path, 4)
    nodes = [node_of(tmp_path, number) for number in range(4)]
    played = Played([nodes[0] | node, *nodes[1:]], 0, **{"strategy.quorum": 4})
    monkeypatch.setattr(masks, "RING", 21)
    assert played.train()[META]["refused"] == "ConfigError"  # type: ignore[index]
    assert not charged(tmp_path)


def test_a_simulated_client_takes_the_others_for_what_the_run_says(tmp_path: Path) -> None:
    simulated = {"partition-id": 0, "num-partitions": 3, "state-dir": str(tmp_path)}
    settings = {"strategy.quorum": 3, "data.name": "npz", "data.path": write(tmp_path / "all.npz")}
    found = Played([simulated], 2, **settings).train()
    assert "refused" not in found[META]  # type: ignore[operator]
