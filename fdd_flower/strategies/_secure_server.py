"""The server's part of a secure sum: it passes sealed shares on, and takes masks off the total."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, RecordDict
from flwr.serverapp import Grid

from fdd_flower.errors import WireError
from fdd_flower.secure_sum.keys import KEY, SEALED, Keys, agreed
from fdd_flower.secure_sum.masks import RING, from_ring
from fdd_flower.secure_sum.protocol import LEAST, Group, unmask
from fdd_flower.sketches._integers import check_planes, from_planes
from fdd_flower.strategies._log import say
from fdd_flower.strategies._replies import arrays_of, below_quorum, note_refusal
from fdd_flower.strategies._secure_client import MASKED, STEP
from fdd_flower.strategies._twins import client_order, keep_one_a_client
from fdd_flower.strategies._validator import Judged, Rules, judge
from fdd_flower.strategies.base import ServerSide
from fdd_flower.wire.codecs._arrays import require
from fdd_flower.wire.codecs._codes import Code, RefusedError
from fdd_flower.wire.records import (
    ARRAYS,
    CONFIG,
    PEERS,
    read_envelope,
    to_array_record,
    to_numpy,
)

HEADROOM = 4096  # bytes of NPY headers


@dataclass(slots=True)
class SecureRound:
    """One round: who takes part, and where it is.

    Attributes
    ----------
    clients, nodes
        Of those that sent keys, in order of places.
    present
        Places of those whose shares enough clients can open.
    probe
        The private key by which public keys are tried.
    """

    side: ServerSide
    round: int
    grid: Grid
    config: ConfigRecord
    clients: list[str] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)
    group: Group | None = None
    present: list[int] = field(default_factory=list)
    probe: bytes = field(default_factory=lambda: Keys.draw().sealing)

    def begin(self, nodes: Iterable[int], arrays: ArrayRecord) -> list[Message]:
        """Have keys and shares exchanged, and return the questions for masked sketches.

        An answer that is refused, at any step, costs its client the round and no other client.

        Raises
        ------
        QuorumError
            If too few clients take part.
        """
        rules = self._reader("keys", (2 * KEY,))
        heard = self._ask("keys", {node: {} for node in nodes}, rules)
        keep_one_a_client(heard, self.side.client_at)
        self._refuse_keys(heard)
        self._note(heard, rules)
        held = sorted((o for o in heard if o.verdict.accepted), key=_order)
        self._require(len(held), LEAST)
        self.clients = [one.verdict.client for one in held]
        self.nodes = [one.node for one in held]
        group = self.group = Group(tuple(_content(one).tobytes() for one in held))
        count = len(held)
        publics = np.stack([_content(one) for one in held])
        rules = self._reader("shares", (count, SEALED))
        answers = self._ask("shares", {node: {"keys": publics} for node in self.nodes}, rules)
        self._note(answers, rules)
        shares = {p: one for one in answers if (p := self._place(one)) is not None}
        self._require(len(shares), group.threshold)
        self._refuse_shares(shares)
        self._note(shares.values(), rules)
        self.present = sorted(p for p in self.present if shares[p].verdict.accepted)
        self._require(len(self.present), group.threshold)
        peers = to_array_record({"places": np.array(self.present)})
        content = RecordDict({ARRAYS: arrays, CONFIG: self.config, PEERS: peers})
        return [Message(content, self.nodes[p], MessageType.TRAIN) for p in self.present]

    def _refuse_keys(self, heard: Iterable[Judged[np.ndarray]]) -> None:
        """Refuse public keys that give no secret, and those that another client sent too.

        With the first ones no other client could go on. Masks with two places under one key may
        cancel. What a key agrees on with the probe tells it from others however it is written.
        """
        seen: set[bytes] = set()
        for one in sorted((one for one in heard if one.content is not None), key=_order):
            keys = _content(one).tobytes()
            try:
                found = {agreed(self.probe, half, "probe") for half in (keys[:KEY], keys[KEY:])}
            except WireError:
                one.refuse(
                    RefusedError(
                        "keys", expected="public keys of X25519", got="one that gives no secret",
                        code=Code.RANGE,
                    )
                )  # fmt: skip
                continue
            if found & seen:
                one.refuse(
                    RefusedError(
                        "keys", expected="keys of this client's own", got="another client's",
                        code=Code.DUPLICATE_SET,
                    )
                )  # fmt: skip
            seen |= found

    def _refuse_shares(self, shares: Mapping[int, Judged[np.ndarray]]) -> None:
        """Have clients open what is sealed for them, and refuse shares that too few can open.

        Nobody could take the masks of such a client off. Who does not answer is gone.
        """
        assert self.group is not None
        places, threshold = sorted(shares), self.group.threshold
        rules = self._reader("opened", (len(places),), most=1)
        asked = {
            self.nodes[p]: {
                "places": np.array(places),
                "sealed": np.stack([_content(shares[sender])[p] for sender in places]),
            }
            for p in places
        }  # fmt: skip
        answers = self._ask("open", asked, rules)
        self._note(answers, rules)
        heard = {p: _content(one) for one in answers if (p := self._place(one)) is not None}
        self._require(len(heard), threshold)
        self.present = sorted(heard)
        count = dict(zip(places, np.sum(list(heard.values()), axis=0, dtype=int), strict=True))
        for place in self.present:
            if count[place] < threshold:
                shares[place].refuse(
                    RefusedError(
                        "shares", expected=f"shares that {threshold} clients can open",
                        got=f"such as {count[place]} can", code=Code.UNDECODABLE,
                    )
                )  # fmt: skip

    def rules(self, size: int) -> Rules[np.ndarray, np.ndarray]:
        """Return what a masked sketch of `size` numbers must be. What it hides, nobody can see."""
        most = HEADROOM + RING * -(-size // 8)

        def decode(content: RecordDict) -> np.ndarray:
            client = read_envelope(content).client
            if client not in [self.clients[place] for place in self.present]:
                raise RefusedError(
                    "reply.meta.client", expected="a client that sent shares", got="another",
                    code=Code.ENVELOPE,
                )  # fmt: skip
            arrays = to_numpy(arrays_of(content), max_bytes=most)
            names = ", ".join(sorted(map(repr, arrays)))[:200]
            require(set(arrays) == {MASKED}, "arrays", MASKED, names, Code.ARRAYS)
            check_planes(MASKED, arrays[MASKED], (size,), bits=RING)
            found = from_planes(arrays[MASKED], (size,), signed=False)
            return found.numpy().astype(np.uint64)

        return Rules(
            nonce=self.side.plan.nonce, round=self.round, max_bytes=most, decode=decode,
            keep=lambda values: values,
        )  # fmt: skip

    def end(self, masked: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the sum of the sketches of the clients whose masked ones are here: int64.

        Raises
        ------
        FddError
            If too few clients stay to take the masks off.
        """
        group = self.group
        assert group is not None
        stayed = {self.clients.index(client): values for client, values in masked.items()}
        self._require(len(stayed), group.threshold)
        told = {"places": np.array(sorted(stayed))}
        rules = self._reader("given", (len(self.present), KEY))
        answers = self._ask("unmask", {self.nodes[p]: told for p in sorted(stayed)}, rules)
        self._note(answers, rules)
        given: dict[int, dict[int, bytes]] = {}
        for one in answers:
            place = self._place(one)
            if place is not None and place in stayed:
                rows = zip(self.present, _content(one), strict=True)
                given[place] = {of: row.tobytes() for of, row in rows if row.any()}
        self._require(len(given), group.threshold)
        return from_ring(unmask(stayed, given, group, self.present))

    def _place(self, one: Judged[np.ndarray]) -> int | None:
        """Return the place of who sent a usable answer; None if it is nobody's."""
        if one.content is None or one.node not in self.nodes:
            return None
        return self.nodes.index(one.node)

    def _ask(
        self,
        step: str,
        asked: Mapping[int, Mapping[str, np.ndarray]],
        rules: Rules[np.ndarray, np.ndarray],
    ) -> list[Judged[np.ndarray]]:
        say(f"round {self.round}: asking {len(asked)} clients for {step} of the secure sum")
        config = ConfigRecord({**self.config, STEP: step})
        messages = [
            Message(
                RecordDict({CONFIG: config, PEERS: to_array_record(arrays)}), n, MessageType.QUERY
            )
            for n, arrays in asked.items()
        ]
        answers = self.grid.send_and_receive(messages, timeout=self.side.cfg.strategy.deadline)
        return [judge(answer, rules) for answer in answers]

    def _note(
        self, judged: Iterable[Judged[np.ndarray]], rules: Rules[np.ndarray, np.ndarray]
    ) -> None:
        """Put answers that are refused into the round's tally and into the ledger."""
        for one in judged:
            if not one.verdict.accepted:
                self.side.tally.verdicts.append(one.verdict)
                note_refusal(one, self.side, rules)

    def _reader(
        self, name: str, shape: tuple[int, ...], *, most: int = 255
    ) -> Rules[np.ndarray, np.ndarray]:
        """Return the rules of an answer: one array of bytes, none above `most`."""
        max_bytes = HEADROOM + int(np.prod(shape))

        def decode(content: RecordDict) -> np.ndarray:
            arrays = to_numpy(arrays_of(content), max_bytes=max_bytes)
            names = ", ".join(sorted(map(repr, arrays)))[:200]
            require(set(arrays) == {name}, "arrays", name, names, Code.ARRAYS)
            array = arrays[name]
            require(array.dtype == np.uint8, name, "uint8", str(array.dtype)[:100], Code.DTYPE)
            require(array.shape == shape, name, str(shape), str(array.shape)[:100], Code.SHAPE)
            require(bool((array <= most).all()), name, f"up to {most}", "more", Code.RANGE)
            return array

        return Rules(
            nonce=self.side.plan.nonce, round=self.round, max_bytes=max_bytes, decode=decode,
            keep=lambda values: values,
        )  # fmt: skip

    def _require(self, count: int, least: int) -> None:
        least = max(least, self.side.cfg.strategy.quorum)
        if count < least:
            raise below_quorum(
                self.side, self.round, f"{count} clients in the secure sum, which needs {least}",
                "See the clients' logs; resume the run to ask the round again.",
            )  # fmt: skip


def not_plausible(error: WireError) -> WireError:
    """Return the error of a total that no records have."""
    return WireError(
        "secure sum", expected="sums that records can have", got=error,
        remedy="A client sent nonsense, and under masks nobody can say which: look at the "
        "clients, then resume the run.",
    )  # fmt: skip


def _content(one: Judged[np.ndarray]) -> np.ndarray:
    assert one.content is not None
    return one.content


def _order(one: Judged[np.ndarray]) -> tuple[int, str]:
    return client_order(one.verdict.client)
