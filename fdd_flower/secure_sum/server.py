"""The server's part of a secure sum: it passes sealed shares on, and takes masks off the total.

It alone knows all clients and the graph of who is whose neighbour; it tells each of its own
neighbourhood, by local places.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, RecordDict
from flwr.serverapp import Grid

from fdd_flower.errors import QuorumError, WireError
from fdd_flower.privacy.sharing import LEAST, threshold_of
from fdd_flower.progress_log import say
from fdd_flower.secure_sum._questions import TAGS
from fdd_flower.secure_sum.answers import Masked, byte_rules, key_rules, masked_rules
from fdd_flower.secure_sum.client import STEP
from fdd_flower.secure_sum.consistency import TAG
from fdd_flower.secure_sum.graph import Graph
from fdd_flower.secure_sum.keys import KEY, SEALED, Keys, agreed
from fdd_flower.secure_sum.masks import from_ring
from fdd_flower.secure_sum.protocol import Group, unmask
from fdd_flower.server.judging.duplicates import client_order, keep_one_a_client
from fdd_flower.server.judging.replies import below_quorum, note_refusal
from fdd_flower.server.judging.validator import Judged, Rules, judge
from fdd_flower.server.side import ServerSide
from fdd_flower.wire.records import ARRAYS, CONFIG, PEERS, to_array_record
from fdd_flower.wire.refusals import Code, RefusedError
from fdd_flower.wording import many

Asked = Mapping[int, Mapping[str, np.ndarray]]  # by node: the arrays of its question
Answers = Mapping[int, Rules[np.ndarray, np.ndarray]]  # by node: what its answer must be


@dataclass(slots=True)
class SecureRound:
    """One round: who takes part, and where it is.

    Attributes
    ----------
    clients, nodes
        Of those that sent keys, in order of places.
    graph
        Who is whose neighbour; places are those of all clients, but in messages local ones.
    present
        Places of those whose shares enough clients can open.
    probe
        The private key by which public keys are tried.
    least
        How many clients must stay to the end at least, of each neighbourhood too: what the clients
        demand as well (`client.answer`), where each one's noise is a share of the sum's.
    vouch
        Whether clients vouch to each other for lists: where one of them signed its keys, and all
        are neighbours.
    """

    side: ServerSide
    round: int
    grid: Grid
    config: ConfigRecord
    clients: list[str] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)
    group: Group | None = None
    graph: Graph = field(default_factory=lambda: Graph(()))
    present: list[int] = field(default_factory=list)
    probe: bytes = field(default_factory=lambda: Keys.draw().sealing)
    least: int = LEAST
    vouch: bool = False

    def begin(self, nodes: Iterable[int], arrays: ArrayRecord) -> list[Message]:
        """Have keys and shares exchanged, and return the questions for masked sketches.

        An answer that is refused, at any step, costs its client the round and no other client.

        Raises
        ------
        QuorumError
            If too few clients take part.
        """
        nodes = list(nodes)
        its = key_rules(nonce=self.side.plan.nonce, round=self.round)
        rules = dict.fromkeys(nodes, its)
        heard = self._ask("keys", {node: {} for node in nodes}, rules)
        keep_one_a_client(heard, self.side.client_at)
        self._refuse_keys(heard)
        self._note(heard, rules)
        held = sorted((o for o in heard if o.verdict.accepted), key=_order)
        self._require(len(held), self.least)
        self.clients = [one.verdict.client for one in held]
        self.nodes = [one.node for one in held]
        group = self.group = Group(tuple(_keys_of(one) for one in held), self.least)
        graph = self.graph = Graph.draw(len(held), self.side.cfg.sketch.neighbours)
        hoods, told = graph.hoods, _told([_content(one) for one in held])
        self.vouch = "signatures" in told and all(len(hood) == len(held) for hood in hoods)
        asked = {
            n: {name: rows[list(hood)] for name, rows in told.items()}
            for n, hood in self._at_nodes(hoods)
        }
        rules = self._rules("shares", {n: (len(h), SEALED) for n, h in self._at_nodes(hoods)})
        answers = self._ask("shares", asked, rules)
        self._note(answers, rules)
        shares = {p: one for one in answers if (p := self._place(one)) is not None}
        self._require(len(shares), group.threshold)
        held_by = self._refuse_shares(shares)
        self._note(shares.values(), rules)
        accepted = {p: found for p, found in held_by.items() if shares[p].verdict.accepted}
        self._require(len(accepted), group.threshold)
        self.present = self._stable(accepted)
        return self._questions(arrays)

    def _questions(self, arrays: ArrayRecord) -> list[Message]:
        """Return the questions for masked sketches; with all as neighbours they share a content."""
        among, messages = set(self.present), list[Message]()
        contents: dict[tuple[int, ...], RecordDict] = {}
        for place in self.present:
            local = tuple(self.graph.local(place, among))
            told = {"places": np.array(local), "clients": np.array([len(self.clients)])}
            if local not in contents:
                parts = {ARRAYS: arrays, CONFIG: self.config, PEERS: to_array_record(told)}
                contents[local] = RecordDict(parts)
            messages.append(Message(contents[local], self.nodes[place], MessageType.TRAIN))
        return messages

    def _refuse_keys(self, heard: Iterable[Judged[np.ndarray]]) -> None:
        """Refuse public keys that give no secret, and those that another client sent too.

        With the first ones no other client could continue. Masks with two places under one key may
        cancel. What a key agrees on with the probe tells it from others however it is written.
        """
        seen: set[bytes] = set()
        for one in sorted((one for one in heard if one.content is not None), key=_order):
            keys = _keys_of(one)
            try:
                found = {agreed(self.probe, half, "probe") for half in (keys[:KEY], keys[KEY:])}
            except WireError:
                one.refuse(
                    RefusedError(
                        "keys",
                        expected="public keys of X25519",
                        got="one that gives no secret",
                        code=Code.RANGE,
                    )
                )
                continue
            if found & seen:
                one.refuse(
                    RefusedError(
                        "keys",
                        expected="keys of this client's own",
                        got="another client's",
                        code=Code.DUPLICATE_SET,
                    )
                )
            seen |= found

    def _refuse_shares(
        self, shares: Mapping[int, Judged[np.ndarray]]
    ) -> Mapping[int, Collection[int]]:
        """Have clients open what is sealed for them, and refuse shares that too few can open.

        Nobody could take the masks of such a client off. Who does not answer is gone, and that is
        no fault of who shared with it. Returned is, by the place of each that answered, who can
        open its shares.
        """
        assert self.group is not None
        graph, among = self.graph, set(self._stable({p: self.graph.hoods[p] for p in shares}))
        sent = {p: dict(zip(graph.hoods[p], _content(shares[p]), strict=True)) for p in among}
        near = {p: graph.near(p, among) for p in sorted(among)}
        asked = {
            self.nodes[p]: {
                "places": np.array(graph.local(p, among)),
                "sealed": np.stack([sent[sender][p] for sender in senders]),
            }
            for p, senders in near.items()
        }
        shapes = {self.nodes[p]: (len(senders),) for p, senders in near.items()}
        rules = self._rules("opened", shapes, most=1)
        answers = self._ask("open", asked, rules)
        self._note(answers, rules)
        heard = {p: _content(one) for one in answers if (p := self._place(one)) is not None}
        self._require(len(heard), self.group.threshold)
        held_by: dict[int, set[int]] = {p: set() for p in sorted(heard)}
        count = dict.fromkeys(among, 0)
        for place, found in heard.items():
            for sender, opens in zip(near[place], found, strict=True):
                count[sender] += int(opens)
                if opens and sender in heard:
                    held_by[sender].add(place)
        for place in held_by:
            if count[place] < self._least <= len(graph.near(place, heard)):
                shares[place].refuse(
                    RefusedError(
                        "shares",
                        expected=f"shares that {self._least} clients can open",
                        got=f"such as {count[place]} can",
                        code=Code.UNDECODABLE,
                    )
                )
        return held_by

    def _stable(self, holders: Mapping[int, Collection[int]]) -> list[int]:
        """Return the places that can stay, by who holds shares of each; say how many cannot."""
        assert self.group is not None
        left = self.graph.stable(holders, self._least)
        if len(left) < len(holders):
            say(
                f"round {self.round}: left out {many(len(holders) - len(left), 'client')}, with "
                "too few neighbours or apart from the others"
            )
        self._require(len(left), self.group.threshold)
        return left

    @property
    def _least(self) -> int:
        """How many of a neighbourhood must be there: all are of one size."""
        return threshold_of(len(self.graph.hoods[0]), self.least)

    def rules(self, size: int) -> Rules[Masked, Masked]:
        """Return what a masked sketch of `size` numbers must be. What it hides, nobody can see."""
        known, nonce = {self.clients[place] for place in self.present}, self.side.plan.nonce
        return masked_rules(size, known, vouch=self.vouch, nonce=nonce, round=self.round)

    def end(self, masked: Mapping[str, Masked]) -> np.ndarray:
        """Return the sum of the sketches of the clients whose masked ones are here: int64.

        Raises
        ------
        FddError
            If too few clients stay to take the masks off.
        """
        group = self.group
        assert group is not None
        stayed = {self.clients.index(client): one for client, one in masked.items()}
        self._require(len(stayed), group.threshold)
        self._require_neighbours(stayed)
        graph, present = self.graph, set(self.present)
        told = self._who_stayed({p: stayed[p].tags for p in sorted(stayed)})
        near = {p: graph.near(p, present) for p in stayed}
        rules = self._rules("given", {self.nodes[p]: (len(near[p]), KEY) for p in told})
        answers = self._ask("unmask", {self.nodes[p]: found for p, found in told.items()}, rules)
        self._note(answers, rules)
        given: dict[int, dict[int, bytes]] = {}
        for one in answers:
            place = self._place(one)
            if place is not None and place in stayed:
                rows = zip(near[place], _content(one), strict=True)
                given[place] = {of: row.tobytes() for of, row in rows if row.any()}
        self._require(len(given), group.threshold)
        values = {place: one.values for place, one in stayed.items()}
        return from_ring(unmask(values, given, group, self.present, graph))

    def _who_stayed(self, tags: Mapping[int, np.ndarray]) -> dict[int, dict[str, np.ndarray]]:
        """Return what to tell each client, by its place, when it is asked for shares.

        Where clients vouch for lists they are asked to first: whoever does not answer is asked for
        no shares, and its values are in the sum.

        Parameters
        ----------
        tags
            By the place of who stayed: its tags for all in `present`, in order.
        """
        assert self.group is not None
        if not self.vouch:
            return {p: {"places": np.array(self.graph.local(p, tags))} for p in tags}
        stayed = np.array(list(tags))
        at = {place: row for row, place in enumerate(self.present)}
        asked = {
            self.nodes[p]: {
                "places": stayed,
                TAGS: np.stack([sent[at[p]] for sent in tags.values()]),
            }
            for p in tags
        }
        rules = self._rules(TAGS, dict.fromkeys(asked, (len(stayed), TAG)))
        answers = self._ask("confirm", asked, rules)
        self._note(answers, rules)
        heard = {p: _content(one) for one in answers if (p := self._place(one)) is not None}
        self._require(len(heard), self.group.threshold)
        givers = np.array(sorted(heard))
        return {
            p: {
                "places": stayed,
                "givers": givers,
                TAGS: np.stack([heard[giver][row] for giver in sorted(heard)]),
            }
            for row, p in enumerate(tags)
            if p in heard
        }

    def _require_neighbours(self, stayed: Collection[int]) -> None:
        """Refuse to take masks off where a neighbourhood has too few left, or the graph is in two.

        Before anybody is asked: no share is given away in vain. Of two parts without a mask between
        them each one's sum would show.
        """
        for place in self.present:
            near = self.graph.near(place, stayed)
            if len(near) < self._least:
                raise self._too_few(
                    f"{many(len(near), 'client')} near client {self.clients[place]} in the secure "
                    f"sum, which needs {self._least}"
                )
        if len(parts := self.graph.parts(stayed)) > 1:
            raise self._too_few(
                f"clients in {len(parts)} parts without masks between them in the secure sum, "
                "which needs one"
            )

    def _place(self, one: Judged[np.ndarray]) -> int | None:
        """Return the place of who sent a usable answer; None if it is nobody's."""
        if one.content is None or one.node not in self.nodes:
            return None
        return self.nodes.index(one.node)

    def _at_nodes(self, hoods: Iterable[tuple[int, ...]]) -> Iterable[tuple[int, tuple[int, ...]]]:
        return zip(self.nodes, hoods, strict=True)

    def _rules(
        self, name: str, shapes: Mapping[int, tuple[int, ...]], *, most: int = 255
    ) -> Answers:
        """Return the rules of each node's answer, an array of bytes of its shape."""
        nonce, here = self.side.plan.nonce, self.round
        return {
            node: byte_rules(name, shape, nonce=nonce, round=here, most=most)
            for node, shape in shapes.items()
        }

    def _ask(self, step: str, asked: Asked, rules: Answers) -> list[Judged[np.ndarray]]:
        say(f"round {self.round}: asking {many(len(asked), 'client')} for {step} of the secure sum")
        config = ConfigRecord({**self.config, STEP: step})
        messages = [
            Message(
                RecordDict({CONFIG: config, PEERS: to_array_record(arrays)}), n, MessageType.QUERY
            )
            for n, arrays in asked.items()
        ]
        answers = self.grid.send_and_receive(messages, timeout=self.side.cfg.strategy.deadline)
        # an answer of a node that was not asked is none
        known = ((rules.get(answer.metadata.src_node_id), answer) for answer in answers)
        return [judge(answer, its) for its, answer in known if its is not None]

    def _note(self, judged: Iterable[Judged[np.ndarray]], rules: Answers) -> None:
        """Put answers that are refused into the round's tally and into the ledger."""
        for one in judged:
            if not one.verdict.accepted:
                self.side.tally.verdicts.append(one.verdict)
                note_refusal(one, self.side, rules[one.node])

    def _require(self, count: int, least: int) -> None:
        least = max(least, self.side.cfg.strategy.quorum)
        if count < least:
            raise self._too_few(f"{many(count, 'client')} in the secure sum, which needs {least}")

    def _too_few(self, got: str) -> QuorumError:
        remedy = "See the clients' logs; resume the run to ask the round again."
        return below_quorum(self.side, self.round, got, remedy)


def not_plausible(error: WireError) -> WireError:
    """Return the error of a total that no records have."""
    return WireError(
        "secure sum",
        expected="sums that records can have",
        got=error,
        remedy="A client sent nonsense, and masks hide which one: look at the "
        "clients, then resume the run.",
    )


def _content(one: Judged[np.ndarray]) -> np.ndarray:
    assert one.content is not None
    return one.content


def _keys_of(one: Judged[np.ndarray]) -> bytes:
    return _content(one)[: 2 * KEY].tobytes()


def _told(answers: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays of a question for shares: of signatures only where somebody signs."""
    keys, signatures = np.split(np.stack(answers), [2 * KEY], axis=1)
    return {"keys": keys} | ({"signatures": signatures} if signatures.any() else {})


def _order(one: Judged[np.ndarray]) -> tuple[int, str]:
    return client_order(one.verdict.client)
