"""A server that plays the other clients: whom a client takes part with is not the server's word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import ConfigRecord, Context, Message, RecordDict

from fdd_flower.config import Config, to_run_config
from fdd_flower.errors import ConfigError, WireError
from fdd_flower.secure_sum.client import STEP, answer, flat, masked_values
from fdd_flower.secure_sum.identity import SIGNED, Company, signed
from fdd_flower.secure_sum.keys import Keys
from fdd_flower.secure_sum.protocol import Group, share, threshold_of
from fdd_flower.sketches.base import Sketch
from fdd_flower.wire.records import ARRAYS, CONFIG, META, PEERS, plan_record, to_array_record
from tests.attacks.scene import plan
from tests.methods.test_end_to_end import QUICK
from tests.secure_sum.test_sum_in_a_run import SECURE, name_of
from tests.server.test_resume import result, start

SKETCH = Sketch(torch.tensor([8, 9]), {"means": torch.arange(5)})
KINDS: dict[str, Any] = {
    "ed25519": Ed25519PrivateKey.generate,
    "flower's, P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
}


def write_keys(folder: Path, count: int, kind: str = "ed25519", form: str = "OpenSSH") -> Path:
    """Write private keys `0` to `count - 1`, and all public ones in `known`; return the folder."""
    lines = []
    for number in range(count):
        key = KINDS[kind]()
        what = serialization.PrivateFormat.OpenSSH
        if form == "PEM":
            what = serialization.PrivateFormat.PKCS8
        none = serialization.NoEncryption()
        private = key.private_bytes(serialization.Encoding.PEM, what, none)
        (folder / str(number)).write_bytes(private)
        public = key.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        lines.append(public + f" node {number}\n".encode())
    (folder / "known").write_bytes(b"# of the consortium\n\n" + b"".join(lines))
    return folder


def node_of(folder: Path, number: int, **more: Any) -> dict[str, Any]:
    its = {
        "secure-sum-identity": folder / str(number),
        "secure-sum-known-clients": folder / "known",
    }
    return {name: str(path) for name, path in its.items()} | more


class Client:
    """A client of which a server asks what it likes."""

    def __init__(self, node: dict[str, Any], least: int = 2) -> None:
        self.least, self.clients = least, 99
        self.context = Context(
            run_id=1, node_id=1, node_config=node, state=RecordDict(), run_config={}
        )

    def ask(self, step: str, **arrays: Any) -> dict[str, np.ndarray] | None:
        """Return the arrays of its answer; None for a refusal."""
        if step == "shares":
            self.clients = len(arrays["keys"])
        config = ConfigRecord({**plan_record(plan()), STEP: step})
        peers = to_array_record({name: np.asarray(found) for name, found in arrays.items()})
        message = Message(RecordDict({CONFIG: config, PEERS: peers}), 1, "query")
        message.metadata.__dict__["_message_id"] = "asked"
        found: Any = answer(message, self.context, least=self.least).content
        if "refused" in found[META]:
            return None
        return {name: array.numpy() for name, array in found[ARRAYS].items()}

    def masked(self, places: Any, least: int = 2) -> bool:
        """Return whether it sends masked values; its tags beside them are kept."""
        told = to_array_record({"places": np.array(places), "clients": np.array([self.clients])})
        try:
            found = masked_values(
                flat(SKETCH), told, plan=plan(), context=self.context, least=least
            )
        except WireError:
            return False
        self.sent = {name: array.numpy() for name, array in found.items()}
        return True


def signed_keys(client: Client) -> tuple[np.ndarray, np.ndarray]:
    found = client.ask("keys")
    assert found is not None
    return found["keys"], found.get("signature", np.zeros(SIGNED, np.uint8))


class Sum:
    """Clients of which the last `invented` are the server's; it passes all messages on."""

    def __init__(self, clients: list[Client], invented: int = 0) -> None:
        self.answers: list[bool] = []
        self.clients, self.theirs = clients, [Keys.draw() for _ in range(invented)]
        sent = [signed_keys(client) for client in clients]
        nothing = np.zeros(SIGNED, np.uint8)
        sent += [(np.frombuffer(keys.public, np.uint8), nothing) for keys in self.theirs]
        self.keys, self.signatures = (np.stack(part) for part in zip(*sent, strict=True))

    def shares(self) -> list[bool]:
        """Ask for shares, and return which of the real clients answer."""
        signed = {"signatures": self.signatures} if self.signatures.any() else {}
        found = [c.ask("shares", keys=self.keys, **signed) for c in self.clients]
        self.sent: list[Any] = [one and one["shares"] for one in found]
        group = Group(tuple(row.tobytes() for row in self.keys))
        for keys in self.theirs:
            ours = share(keys, group)
            self.sent.append(np.stack([np.frombuffer(ours[p], np.uint8) for p in sorted(ours)]))
        self.answers = [one is not None for one in found]
        return self.answers

    def open(self, forged: tuple[int, ...] = ()) -> None:
        """Pass shares on, those of some places not as they came."""
        for own, client in enumerate(self.clients):
            sealed = np.stack([sent[own] for sent in self.sent])
            for place in forged:
                sealed[place] ^= 1
            assert client.ask("open", places=np.arange(len(self.keys)), sealed=sealed)

    def unmask(self, stayed: list[int]) -> list[dict[str, np.ndarray] | None]:
        """Have those who stayed vouch for it, and return what each of them gives away."""
        who = [self.clients[place] for place in stayed]
        sent = [client.sent["tags"] for client in who]
        vouched = [
            client.ask("confirm", places=stayed, tags=[rows[place] for rows in sent])
            for client, place in zip(who, stayed, strict=True)
        ]
        givers = {p: one["tags"] for p, one in zip(stayed, vouched, strict=True) if one}
        if not givers:
            return [None] * len(who)
        return [
            client.ask(
                "unmask", places=stayed, givers=list(givers), tags=[r[at] for r in givers.values()]
            )
            for at, client in enumerate(who)
        ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["OpenSSH", "PEM"])
def test_clients_that_know_each_other_take_part(tmp_path: Path, kind: str, form: str) -> None:
    write_keys(tmp_path, 3, kind, form)
    known = {"secure-sum-least-known": 2}
    one = Sum([Client(node_of(tmp_path, number, **known)) for number in range(3)])
    assert one.shares() == [True] * 3
    one.open()
    assert [client.masked([0, 1, 2]) for client in one.clients] == [True] * 3
    given = one.unmask([0, 1, 2])
    assert [found is not None and found["given"].any() for found in given] == [True] * 3


@pytest.mark.parametrize("invented", [1, 2, 9])
def test_a_server_that_invents_the_other_clients_is_refused(tmp_path: Path, invented: int) -> None:
    write_keys(tmp_path, 4)
    # all others are the server's: the sum would be this client's own values
    assert Sum([Client(node_of(tmp_path, 0))], invented).shares() == [False]
    # a client that was not told whom it knows cannot tell
    assert Sum([Client({})], invented).shares() == [True]


@pytest.mark.parametrize(("real", "invented", "answers"), [(3, 1, True), (3, 2, False)])
def test_so_many_unknown_clients_are_none_that_could_take_masks_off(
    tmp_path: Path, real: int, invented: int, answers: bool
) -> None:
    write_keys(tmp_path, 4)
    one = Sum([Client(node_of(tmp_path, number)) for number in range(real)], invented)
    assert one.shares() == [answers] * real
    # who lies to two groups of clients needs a threshold of answers to each of two questions,
    # and has those of all whom it plays in both
    clients = real + invented
    assert answers == (real + 2 * invented < 2 * threshold_of(clients))


def forged(one: Sum, how: str, folder: Path) -> None:
    if how == "of another key":
        one.signatures[1] = signed_keys(Client(node_of(folder, 2)))[1]
    elif how == "of one client, twice":
        one.keys[1], one.signatures[1] = signed_keys(Client(node_of(folder, 2)))
        one.keys[2], one.signatures[2] = signed_keys(Client(node_of(folder, 2)))
    elif how == "its own, for others":
        one.keys[1], one.signatures[1] = signed_keys(Client(node_of(folder, 0)))
    elif how == "a bit changed":
        one.signatures[1][40] ^= 1
    elif how == "a length that lies":
        one.signatures[1][32] = 255
    elif how == "none":
        one.signatures[1] = 0
    elif how == "of a client that is not known":
        write_keys(folder / "others", 1)
        one.keys[1], one.signatures[1] = signed_keys(
            Client({"secure-sum-identity": str(folder / "others" / "0")})
        )
    elif how == "one less":
        one.signatures = one.signatures[:-1]


@pytest.mark.parametrize(
    "how",
    [
        "of another key",
        "of one client, twice",
        "its own, for others",
        "a bit changed",
        "a length that lies",
        "none",
        "of a client that is not known",
        "one less",
    ],
)
def test_a_signature_that_is_not_the_clients_is_none(tmp_path: Path, how: str) -> None:
    (tmp_path / "others").mkdir()
    write_keys(tmp_path, 3)
    one = Sum([Client(node_of(tmp_path, number)) for number in range(3)])
    forged(one, how, tmp_path)
    assert one.shares()[0] is False


def test_a_signature_of_another_run_or_round_is_none(tmp_path: Path) -> None:
    write_keys(tmp_path, 2)
    company, keys = Company.of(node_of(tmp_path, 0)), [Keys.draw() for _ in range(2)]
    group, its = Group(tuple(one.public for one in keys)), plan()
    node = node_of(tmp_path, 1)
    for then in (replace(its, round=its.round + 1), replace(its, nonce="0" * 16)):
        with pytest.raises(WireError, match="other clients that it knows"):
            company.places(group, 0, [b"", signed(node, keys[1].public, then)], its)
    assert company.places(group, 0, [b"", signed(node, keys[1].public, its)], its) == [1]


def test_a_known_client_that_is_not_there_does_not_count(tmp_path: Path) -> None:
    """Its signed keys were played again: of what it would seal the server can make nothing."""
    write_keys(tmp_path, 4)
    least = {"secure-sum-least-known": 3}
    for gone, masks in (((), True), ((3,), False)):
        one = Sum([Client(node_of(tmp_path, number, **least)) for number in range(4)])
        assert one.shares() == [True] * 4
        one.open(forged=gone)
        assert one.clients[0].masked([0, 1, 2, 3]) is masks


def test_it_gives_no_share_away_where_too_few_that_it_knows_stayed(tmp_path: Path) -> None:
    write_keys(tmp_path, 4)
    for stayed, gives in (([0, 1, 2, 3], True), ([0, 1, 2], False)):
        one = Sum([Client(node_of(tmp_path, n, **{"secure-sum-least-known": 3})) for n in range(4)])
        one.shares()
        one.open()
        assert [client.masked([0, 1, 2, 3]) for client in one.clients] == [True] * 4
        assert (one.unmask(stayed)[0] is not None) is gives


def test_a_client_may_demand_a_least_number_of_clients_by_itself() -> None:
    node = {"secure-sum-least": 4}
    assert Sum([Client(node) for _ in range(3)]).shares() == [False] * 3
    for stayed, gives in (([0, 1, 2, 3], True), ([0, 1, 2], False)):
        one = Sum([Client(node) for _ in range(4)])
        one.shares()
        one.open()
        assert one.clients[0].masked([0, 1, 2, 3])
        assert (one.clients[0].ask("unmask", places=stayed) is not None) is gives


def test_noise_that_is_shared_by_so_many_is_sent_and_unmasked_among_no_fewer() -> None:
    def asked(clients: int, least: int) -> Sum:
        one = Sum([Client({}, least) for _ in range(clients)])
        one.shares()
        return one

    assert asked(3, least=4).answers == [False] * 3
    for stayed, gives in (([0, 1, 2, 3], True), ([0, 1, 2], False)):
        one = asked(5, least=4)
        one.open()
        assert not one.clients[1].masked([0, 1, 2], least=4)
        assert not one.clients[0].masked([0, 1, 2, 3, 4], least=5)  # the shares open to four
        assert one.clients[0].masked([0, 1, 2, 3, 4], least=4)
        assert (one.clients[0].ask("unmask", places=stayed) is not None) is gives


@pytest.mark.parametrize(
    ("node", "what"),
    [
        ({"secure-sum-identity": "/nowhere"}, "secure-sum-identity"),
        ({"secure-sum-identity": "known"}, "private key"),
        ({"secure-sum-known-clients": "/nowhere"}, "secure-sum-known-clients"),
        ({"secure-sum-known-clients": "0"}, "line 1"),
        ({"secure-sum-known-clients": "known", "secure-sum-least-known": 9}, "9 other clients"),
        ({"secure-sum-known-clients": "known", "secure-sum-least-known": True}, "whole number"),
        ({"secure-sum-least-known": 1}, "together with"),
        ({"secure-sum-least": 1}, "from 2"),
        ({"secure-sum-least": "3"}, "from 2"),
    ],
)
def test_a_node_config_that_does_not_fit_is_named_before_any_key(
    tmp_path: Path, node: dict[str, Any], what: str
) -> None:
    write_keys(tmp_path, 2)
    node = {k: str(tmp_path / v) if v in ("known", "0") else v for k, v in node.items()}
    assert Client(node).ask("keys") is None

    def read() -> None:
        Company.of(node)
        signed(node, b"", plan())

    with pytest.raises(ConfigError, match=what):
        read()


@pytest.mark.parametrize("gone", ["", "tags"])
def test_in_a_run_signatures_change_nothing_but_who_takes_part(tmp_path: Path, gone: str) -> None:
    """Nor does a client that vouches for nothing once its values are sent: it is in the sum."""
    write_keys(tmp_path, 4)
    named = {key.replace("__", ".").replace("_", "-"): value for key, value in SECURE.items()}
    found, asked = [], set[str]()

    def fault(message: Message) -> Message | None:
        asked.add(name := name_of(message))
        return None if gone and name in (gone, "given") else message

    signed = {
        n + 1: {"partition-id": n, "num-partitions": 4} | node_of(tmp_path, n) for n in range(4)
    }
    for name, nodes in (("plain", {}), ("signed", signed)):
        out = tmp_path / name
        settings = to_run_config(Config()) | QUICK | {"output.dir": str(out)} | named
        start(settings, clients=4, node_configs=nodes, faults={2: fault} if nodes else {})
        found.append(result(out))
    assert found[0] == found[1]
    assert asked == {"keys", "shares", "opened", "masked", "tags"} | (
        {"given"} - {gone and "given"}
    )
