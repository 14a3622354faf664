"""A sum of which the server sees no part: exact, with clients gone at every step."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import chisquare

from fdd_flower.errors import DistillError, WireError
from fdd_flower.secure_sum import protocol
from fdd_flower.secure_sum.graph import Graph
from fdd_flower.secure_sum.keys import Keys, agreed, joined, public_of, seal, shares_of, unseal
from fdd_flower.secure_sum.masks import RING, from_ring, stretched, to_ring
from fdd_flower.secure_sum.protocol import (
    Group,
    give_away,
    mask,
    opened,
    share,
    threshold_of,
    unmask,
)

SIZE = 200


def values_of(clients: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(-(10**9), 10**9, size=SIZE) for _ in range(clients)]


class Round:
    """A round in which some clients go after they sent keys, shares or masked values."""

    def __init__(
        self, clients: int, graph: Graph | None = None, *, no_shares=(), no_values=(), no_answer=()
    ) -> None:
        self.graph = graph or Graph.draw(clients, 0)
        self.keys = [Keys.draw() for _ in range(clients)]
        self.group = Group(tuple(keys.public for keys in self.keys))
        self.groups = [Group(tuple(self.group.publics[o] for o in h)) for h in self.graph.hoods]
        self.values = values_of(clients)
        self.present = [c for c in range(clients) if c not in no_shares]
        self.sealed = {c: share(self.keys[c], self.groups[c]) for c in self.present}
        self.masked = {
            c: mask(
                to_ring(self.values[c], clients),
                self.keys[c],
                self.groups[c],
                self.graph.local(c, self.present),
            )
            for c in self.present
            if c not in no_values
        }
        self.given = {c: self.answer(c) for c in self.masked if c not in no_answer}

    def inbox(self, client: int) -> dict[int, bytes]:
        """Return by local place what the others sealed for a client."""
        near = self.graph.hoods[client]
        return {
            near.index(sender): shares[self.graph.hoods[sender].index(client)]
            for sender, shares in self.sealed.items()
            if sender in near
        }

    def answer(self, client: int) -> dict[int, bytes]:
        """Return by place what a client gives away."""
        stayed = self.graph.local(client, self.masked)
        given = give_away(self.inbox(client), self.keys[client], self.groups[client], stayed=stayed)
        return {self.graph.hoods[client][place]: found for place, found in given.items()}

    def total(self) -> np.ndarray:
        return from_ring(unmask(self.masked, self.given, self.group, self.present, self.graph))


@pytest.mark.parametrize(
    ("clients", "gone"),
    [
        (2, {}),
        (3, {}),
        (7, {}),
        (5, {"no_shares": {1}}),
        (5, {"no_values": {0}}),
        (5, {"no_values": {2, 4}}),
        (5, {"no_answer": {3}}),
        (7, {"no_shares": {0}, "no_values": {6}, "no_answer": {3}}),
    ],
)
def test_the_sum_of_those_that_stayed_is_exact(clients, gone):
    one = Round(clients, **gone)
    left = set(range(clients)) - gone.get("no_shares", set()) - gone.get("no_values", set())
    np.testing.assert_array_equal(one.total(), sum(one.values[c] for c in left))


def ring(clients: int, neighbours: int) -> Graph:
    """Return a graph whose ring is in order of places, so that who is near whom is known."""
    half = range(-(neighbours // 2), neighbours // 2 + 1)
    return Graph(tuple(tuple(sorted((at + by) % clients for by in half)) for at in range(clients)))


@pytest.mark.parametrize(
    "gone",
    [
        {},
        {"no_shares": {3, 11}},
        {"no_values": {0, 6}},
        {"no_values": {4, 5}},
        {"no_answer": {1, 2}},
        {"no_shares": {0}, "no_values": {4}, "no_answer": {8}},
    ],
)
def test_with_neighbours_the_sum_of_those_that_stayed_is_exact(gone):
    one = Round(12, ring(12, 4), **gone)
    left = set(range(12)) - gone.get("no_shares", set()) - gone.get("no_values", set())
    np.testing.assert_array_equal(one.total(), sum(one.values[c] for c in left))


@pytest.mark.parametrize("clients", [2, 5, 6, 12, 40])
def test_over_a_graph_drawn_by_chance_it_is_exact_too(clients):
    one = Round(clients, Graph.draw(clients, 4))
    np.testing.assert_array_equal(one.total(), sum(one.values))
    assert {len(shares) for shares in one.sealed.values()} == {min(clients, 5)}


def test_below_the_threshold_of_a_neighbourhood_nobody_can_take_its_masks_off():
    with pytest.raises(WireError, match="clients that stayed: expected at least 3"):
        Round(12, ring(12, 4), no_values={1, 3, 4})  # near 2 are two
    with pytest.raises(WireError, match=r"secret of client 1 .*enough shares of it; got 2 "):
        Round(12, ring(12, 4), no_answer={1, 2, 3}).total()
    # as many, but of nobody more than two
    spread = Round(12, ring(12, 4), no_answer={1, 5, 9})
    np.testing.assert_array_equal(spread.total(), sum(spread.values))


def test_a_client_is_under_masks_of_its_neighbours_and_of_no_others(monkeypatch):
    agreed_on = []

    def note(private: bytes, public: bytes, purpose: str) -> bytes:
        agreed_on.append((public, purpose))
        return agreed(private, public, purpose)

    one, values = Round(12, Graph.draw(12, 4)), np.arange(20_000) % 50
    monkeypatch.setattr(protocol, "agreed", note)
    local = range(5)
    masked = mask(to_ring(values, 12), one.keys[7], one.groups[7], local)
    others = set(one.graph.hoods[7]) - {7}
    assert {public for public, _ in agreed_on} == {one.keys[o].public[32:] for o in others}
    assert [purpose for _, purpose in agreed_on] == ["mask"] * 4
    counts = np.bincount((masked & np.uint64(255)).astype(int), minlength=256)
    assert chisquare(counts).pvalue > 1e-6
    assert abs(np.corrcoef(masked.astype(float), values)[0, 1]) < 0.05


def test_each_direction_of_a_pair_has_a_key_of_its_own_whatever_its_places():
    one = Round(12, ring(12, 4))
    # 0 is the third of those near 11 and the first of those near 1
    for to, by in ((0, 11), (0, 1)):
        back = one.inbox(by)[one.graph.hoods[by].index(to)]
        returned = {one.graph.hoods[to].index(by): back}
        assert not opened(returned, one.keys[to], one.groups[to])
    for client in range(12):
        assert len(opened(one.inbox(client), one.keys[client], one.groups[client])) == 5


def test_below_the_threshold_nobody_can_take_the_masks_off():
    assert [threshold_of(n) for n in (2, 3, 4, 5, 10)] == [2, 2, 3, 3, 6]
    with pytest.raises(WireError, match="clients that stayed"):
        Round(5, no_values={0, 1, 2})
    with pytest.raises(WireError, match="enough shares"):
        Round(5, no_answer={0, 1, 2}).total()


def test_a_least_number_of_clients_is_how_many_must_stay_and_how_many_shares_open():
    assert [threshold_of(n, 4) for n in (4, 5, 8, 9)] == [4, 4, 5, 5]
    keys = [Keys.draw() for _ in range(5)]
    publics = tuple(one.public for one in keys)
    group = Group(publics, least=4)
    sealed = {sender: share(one, group) for sender, one in enumerate(keys)}
    values, graph = values_of(5), Graph.draw(5, 0)
    masked = {p: mask(to_ring(values[p], 5), keys[p], group, range(5)) for p in range(4)}

    def given(places: range) -> dict[int, dict[int, bytes]]:
        boxes = {p: {sender: sealed[sender][p] for sender in sealed} for p in places}
        return {p: give_away(b, keys[p], group, stayed=range(4)) for p, b in boxes.items()}

    found = from_ring(unmask(masked, given(range(4)), group, range(5), graph))
    np.testing.assert_array_equal(found, sum(values[:4]))
    with pytest.raises(WireError, match="enough shares"):
        unmask(masked, given(range(3)), group, range(5), graph)
    with pytest.raises(WireError, match="at least 4"):
        give_away({p: sealed[p][0] for p in sealed}, keys[0], group, stayed=range(3))
    with pytest.raises(WireError, match="6 or more"):
        Group(publics, least=6)


def test_a_client_gives_no_share_away_that_the_protocol_does_not_ask_for():
    one = Round(5)
    for stayed in ({0, 1}, {1, 2, 3}, {0, 1, 2, 9}):  # too few; not itself; a stranger
        with pytest.raises(WireError):
            give_away(one.inbox(0), one.keys[0], one.group, stayed=stayed)


def test_masked_values_are_uniform_and_tell_nothing():
    one, values = Round(4), np.arange(20_000) % 50
    first, second = (
        mask(to_ring(values, 4), keys.keys[1], keys.group, range(4)) for keys in (one, Round(4))
    )
    for masked in (first, second):
        counts = np.bincount((masked >> np.uint64(RING - 8)).astype(int), minlength=256)
        assert chisquare(counts).pvalue > 1e-6
        low = np.bincount((masked & np.uint64(255)).astype(int), minlength=256)
        assert chisquare(low).pvalue > 1e-6
        assert abs(np.corrcoef(masked.astype(float), values)[0, 1]) < 0.05
    assert abs(np.corrcoef(first.astype(float), second.astype(float))[0, 1]) < 0.05
    # nor do the masked values of two clients, of which a mask between them is one part
    other = mask(to_ring(values, 4), one.keys[2], one.group, range(4))
    assert abs(np.corrcoef(first.astype(float), other.astype(float))[0, 1]) < 0.05
    # without one client's own mask, what is left of it is still under the others'
    bare = (first - stretched(one.keys[1].seed, len(values))) & np.uint64(2**RING - 1)
    assert chisquare(np.bincount((bare & np.uint64(255)).astype(int), minlength=256)).pvalue > 1e-6


def test_any_threshold_of_shares_gives_the_secret_and_fewer_do_not():
    secret = bytes(range(32))
    shares = shares_of(secret, 3, 5)
    assert len({share for share in shares if len(share) == 32}) == 5
    for some in combinations(range(5), 3):
        assert joined({place: shares[place] for place in some}) == secret
    for some in combinations(range(5), 2):
        assert joined({place: shares[place] for place in some}) != secret


def test_two_clients_agree_and_what_is_sealed_is_bound_to_them():
    one, two = Keys.draw(), Keys.draw()
    key = agreed(one.sealing, public_of(two.sealing), "x")
    assert key == agreed(two.sealing, public_of(one.sealing), "x")
    assert key != agreed(two.sealing, public_of(one.sealing), "y")
    sealed = seal(key, b"content", b"about")
    assert unseal(key, sealed, b"about") == b"content"
    for wrong in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:5]):
        with pytest.raises(WireError, match="sealed shares"):
            unseal(key, wrong, b"about")
    with pytest.raises(WireError, match="sealed shares"):
        unseal(key, sealed, b"another")
    with pytest.raises(WireError, match="public key"):
        agreed(one.sealing, bytes(32), "x")


def test_shares_that_were_changed_or_swapped_are_left_out_and_the_others_are_not():
    one = Round(4)
    inbox, whole = one.inbox(0), one.given[0]
    for wrong in ({**inbox, 1: inbox[2]}, {**inbox, 1: inbox[1][:-1] + b"\0"}):
        assert set(opened(wrong, one.keys[0], one.group)) == {0, 2, 3}
        given = give_away(wrong, one.keys[0], one.group, stayed=range(4))
        assert given == {place: whole[place] for place in (0, 2, 3)}
    # a threshold of others has it: the sum is what it was
    one.given[0] = given
    np.testing.assert_array_equal(one.total(), sum(one.values))


def test_a_group_needs_two_clients_with_keys_of_their_own():
    keys = [Keys.draw().public for _ in range(3)]
    for publics in (keys[:1], [keys[0], keys[0], keys[1]], [keys[0], keys[1][:-1]]):
        with pytest.raises(WireError, match="clients of the secure sum"):
            Group(tuple(publics))
    with pytest.raises(WireError, match="this client among them"):
        Group(tuple(keys)).place_of(Keys.draw())


def test_numbers_go_into_the_ring_and_come_back():
    values = np.array([0, 1, -1, 2**37, -(2**37)])
    np.testing.assert_array_equal(from_ring(to_ring(values, 2)), values)
    with pytest.raises(DistillError, match="less than"):
        to_ring(values, 4)
    # where a bound is told, no value decides
    for some in (values, np.zeros(3, np.int64)):
        assert len(to_ring(some, 2, largest=2**37)) == len(some)
        with pytest.raises(DistillError, match="less than"):
            to_ring(some, 4, largest=2**37)
    seed = bytes(range(32))
    np.testing.assert_array_equal(stretched(seed, 9), stretched(seed, 20)[:9])
    assert int(stretched(seed, 1000).max()) < 2**RING


def test_keys_are_kept_and_read_back():
    keys = Keys.draw()
    assert Keys.from_bytes(keys.to_bytes()) == keys
    assert keys.public != Keys.draw().public
