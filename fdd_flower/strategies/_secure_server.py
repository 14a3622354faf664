"""The server's part of a secure sum: it passes sealed shares on, and takes masks off the total."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, RecordDict
from flwr.serverapp import Grid

from fdd_flower.errors import WireError
from fdd_flower.secure_sum.keys import KEY, SEALED
from fdd_flower.secure_sum.masks import RING, from_ring
from fdd_flower.secure_sum.protocol import LEAST, Group, unmask
from fdd_flower.sketches._integers import check_planes, from_planes
from fdd_flower.strategies._log import say
from fdd_flower.strategies._replies import arrays_of, below_quorum
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
        Places of those that sent shares.
    """

    side: ServerSide
    round: int
    grid: Grid
    config: ConfigRecord
    clients: list[str] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)
    group: Group | None = None
    present: list[int] = field(default_factory=list)

    def begin(self, nodes: Iterable[int], arrays: ArrayRecord) -> list[Message]:
        """Have keys and shares exchanged, and return the questions for masked sketches.

        Raises
        ------
        QuorumError
            If too few clients take part.
        """
        heard = self._ask("keys", {node: {} for node in nodes}, self._reader("keys", (2 * KEY,)))
        keep_one_a_client(heard, self.side.client_at)
        held = sorted((o for o in heard if o.verdict.accepted), key=_order)
        self._require(len(held), LEAST)
        self.clients = [one.verdict.client for one in held]
        self.nodes = [one.node for one in held]
        group = self.group = Group(tuple(_content(one).tobytes() for one in held))
        count = len(held)
        publics = np.stack([_content(one) for one in held])
        answers = self._ask(
            "shares", {node: {"keys": publics} for node in self.nodes},
            self._reader("shares", (count, SEALED)),
        )  # fmt: skip
        shares = {p: _content(o) for o in answers if (p := self._place(o)) is not None}
        self.present = sorted(shares)
        self._require(len(self.present), group.threshold)
        messages = []
        for place in self.present:
            inbox = np.stack([shares[sender][place] for sender in self.present])
            peers = {"places": np.array(self.present), "sealed": inbox}
            content = {ARRAYS: arrays, CONFIG: self.config, PEERS: to_array_record(peers)}
            messages.append(Message(RecordDict(content), self.nodes[place], MessageType.TRAIN))
        return messages

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
        answers = self._ask(
            "unmask", {self.nodes[place]: told for place in sorted(stayed)},
            self._reader("given", (len(self.present), KEY)),
        )  # fmt: skip
        given: dict[int, dict[int, bytes]] = {}
        for one in answers:
            place = self._place(one)
            if place is not None and place in stayed:
                rows = zip(self.present, _content(one), strict=True)
                given[place] = {of: row.tobytes() for of, row in rows}
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
        judged = [judge(answer, rules) for answer in answers]
        for one in judged:
            if not one.verdict.accepted:
                say(f"round {self.round}: no {step} of client {one.verdict.client}: "
                    f"[{one.verdict.code}] {one.verdict.reason}")  # fmt: skip
        return judged

    def _reader(self, name: str, shape: tuple[int, ...]) -> Rules[np.ndarray, np.ndarray]:
        most = HEADROOM + int(np.prod(shape))

        def decode(content: RecordDict) -> np.ndarray:
            arrays = to_numpy(arrays_of(content), max_bytes=most)
            names = ", ".join(sorted(map(repr, arrays)))[:200]
            require(set(arrays) == {name}, "arrays", name, names, Code.ARRAYS)
            array = arrays[name]
            require(array.dtype == np.uint8, name, "uint8", str(array.dtype)[:100], Code.DTYPE)
            require(array.shape == shape, name, str(shape), str(array.shape)[:100], Code.SHAPE)
            return array

        return Rules(
            nonce=self.side.plan.nonce, round=self.round, max_bytes=most, decode=decode,
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
