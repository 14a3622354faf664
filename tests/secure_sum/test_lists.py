"""A server that tells each client another list: who vouches for what, and what is read of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fdd_flower.secure_sum.client import flat
from fdd_flower.secure_sum.consistency import tags, told
from fdd_flower.secure_sum.keys import KEY, Keys, agreed, joined, public_of
from fdd_flower.secure_sum.masks import add, from_ring, stretched
from fdd_flower.secure_sum.protocol import Group
from fdd_flower.sketches.integers import from_planes
from tests.secure_sum.test_company import SKETCH, Client, Sum, node_of, write_keys

A = 0  # the client that the server is after
VALUES = flat(SKETCH)
Lists = dict[int, list[int]]


def begun(folder: Path, count: int, least: int, *, known: bool = True) -> tuple[Sum, Group]:
    """Return clients, honest and known to each other, whose shares have opened."""
    if known:
        write_keys(folder, count)
    nodes = [node_of(folder, number) if known else {} for number in range(count)]
    one = Sum([Client(node, least) for node in nodes])
    assert one.shares() == [True] * count
    one.open()
    return one, Group(tuple(row.tobytes() for row in one.keys), least)


def lists_of(count: int, stay: int) -> tuple[list[int], Lists]:
    """Return with whom A is to have masks, and a list for each client of who stayed.

    Of A all give shares of the seed, and of those with whom it has masks enough give shares of the
    key: each is left out of as many lists as must stay.
    """
    near, far = list(range(1, stay)), list(range(stay, count))
    stayed: Lists = {A: [A, *near]}
    for place in near:
        others = [*far, *(other for other in near if other != place)]
        stayed[place] = sorted([A, place, *others[: stay - 2]])
    for at, place in enumerate(far):
        turn = at % len(near)
        stayed[place] = sorted([A, *far, *near[turn:], *near[:turn]][:stay])
    return near, stayed


def told_apart(one: Sum, places: Lists, stayed: Lists) -> dict[int, Any]:
    """Tell each client its own lists; return what each gives away, its word passed on."""
    for place, client in enumerate(one.clients):
        assert client.masked(places[place])
    vouches = "tags" in one.clients[A].sent
    word: dict[int, dict[int, np.ndarray]] = {}
    if vouches:
        for place, client in enumerate(one.clients):
            rows = []
            for other in stayed[place]:
                its = places[other]
                there = place in its
                rows.append(one.clients[other].sent["tags"][its.index(place) if there else 0])
            found = client.ask("confirm", places=stayed[place], tags=rows)
            if found is not None:
                word[place] = dict(zip(stayed[place], found["tags"], strict=True))
    given = {}
    for place, client in enumerate(one.clients):
        more: dict[str, Any] = {}
        if vouches:
            nothing = np.zeros(32, np.uint8)
            givers = stayed[place]
            rows = [word.get(other, {}).get(place, nothing) for other in givers]
            more = {"givers": givers, "tags": rows}
        found = client.ask("unmask", places=stayed[place], **more)
        if found is not None:
            given[place] = dict(zip(places[place], found["given"], strict=True))
    return given


def read(one: Sum, group: Group, places: Lists, stayed: Lists, given: dict[int, Any]) -> Any:
    """Return A's values alone, by the shares that the server was given; None: they are too few."""
    stay = group.threshold
    seeds = {g: rows[A].tobytes() for g, rows in given.items() if A in stayed[g]}
    if len(seeds) < stay:
        return None
    planes = one.clients[A].sent["masked"]
    total = from_planes(planes, (len(VALUES),), signed=False).numpy().astype(np.uint64)
    total = add(total, stretched(joined(dict(list(seeds.items())[:stay])), len(VALUES)), sign=-1)
    for place in set(places[A]) - {A}:
        shares = {g: r[place].tobytes() for g, r in given.items() if place not in stayed[g]}
        if len(shares) < stay:
            return None
        secret = joined(dict(list(shares.items())[:stay]))
        assert public_of(secret) == group.publics[place][KEY:]
        seed = agreed(secret, group.publics[A][KEY:], "mask")
        total = add(total, stretched(seed, len(VALUES)), sign=-1)
    return from_ring(total)


SIZES = [(5, 3), (8, 5), (10, 6), (20, 12)]


def enough(count: int, stay: int) -> bool:
    """Return whether lists of `stay` leave each of A's neighbours out of as many."""
    _, stayed = lists_of(count, stay)
    lists = stayed.values()
    return all(sum(near not in its for its in lists) >= stay for near in range(1, stay))


@pytest.mark.parametrize("alike", [False, True], ids=["both lists differ", "one list differs"])
@pytest.mark.parametrize(("count", "stay"), SIZES)
def test_no_client_gives_a_share_where_lists_differ(
    tmp_path: Path, count: int, stay: int, alike: bool
) -> None:
    one, group = begun(tmp_path, count, stay)
    near, stayed = lists_of(count, stay)
    places = {place: list(range(count)) for place in range(count)}
    if not alike:
        places[A] = [A, *near]
    assert group.threshold == stay
    assert told_apart(one, places, stayed) == {}


@pytest.mark.parametrize(("count", "stay"), SIZES)
def test_without_known_clients_such_a_server_reads_one_client_alone(
    tmp_path: Path, count: int, stay: int
) -> None:
    """What the check is against: nobody vouches, and the server has all it needs."""
    one, group = begun(tmp_path, count, stay, known=False)
    near, stayed = lists_of(count, stay)
    places = {place: list(range(count)) for place in range(count)} | {A: [A, *near]}
    found = read(one, group, places, stayed, told_apart(one, places, stayed))
    assert (found is not None) is enough(count, stay)
    if found is not None:
        assert found.tolist() == VALUES.tolist()


def test_a_client_vouches_for_one_list_and_for_none_that_it_has_no_masks_with(
    tmp_path: Path,
) -> None:
    def asked(stayed: list[int], own: list[int]) -> tuple[Client, Any]:
        one, _ = begun(tmp_path, 4, 3)
        for client in one.clients:
            assert client.masked(own)
            if len(own) < 4 and client is one.clients[2]:
                break
        rows = [
            one.clients[p].sent["tags"][own.index(A)] if p in own else b"\0" * 32 for p in stayed
        ]
        rows = [np.frombuffer(bytes(row), np.uint8) for row in rows]
        return one.clients[A], one.clients[A].ask("confirm", places=stayed, tags=rows)

    client, found = asked([0, 1, 2], [0, 1, 2, 3])
    assert found is not None
    assert client.ask("confirm", places=[0, 1, 3], tags=np.zeros((3, 32), np.uint8)) is None
    assert asked([0, 1, 2], [0, 1, 2])[1] is not None
    assert asked([0, 1, 3], [0, 1, 2])[1] is None
    assert asked([0, 1], [0, 1, 2, 3])[1] is None  # fewer than must stay
    assert asked([1, 2, 3], [0, 1, 2, 3])[1] is None


WORDS: dict[str, Any] = {
    "a bit changed": lambda rows, earlier: rows ^ np.eye(*rows.shape, dtype=np.uint8),
    "of the list before": lambda rows, earlier: earlier,
    "of each other": lambda rows, earlier: np.roll(rows, 1, axis=0),
    "none": lambda rows, earlier: rows * 0,
    "of another type": lambda rows, earlier: rows.astype(np.int64),
    "one less": lambda rows, earlier: rows[:-1],
}


@pytest.mark.parametrize("how", WORDS)
def test_a_word_that_is_not_the_clients_is_none(tmp_path: Path, how: str) -> None:
    """Before masks come off, and before that of who had masks with whom."""
    every = [0, 1, 2, 3]
    for step in ("confirm", "unmask"):
        one, _ = begun(tmp_path, 4, 3)
        assert all(client.masked(every) for client in one.clients)
        before = np.stack([client.sent["tags"] for client in one.clients])
        if step == "confirm":
            rows = WORDS[how](before[:, A], before[:, 1])
            assert one.clients[A].ask("confirm", places=every, tags=rows) is None
            continue
        found = [
            c.ask("confirm", places=every, tags=before[:, p]) for p, c in enumerate(one.clients)
        ]
        rows = WORDS[how](np.stack([f["tags"][A] for f in found if f]), before[:, A])
        asked = {"places": every, "givers": every, "tags": rows}
        assert one.clients[A].ask("unmask", **asked) is None


@pytest.mark.parametrize(("heard", "gives"), [([0, 1, 3], True), ([1, 2], True), ([0, 1], False)])
def test_shares_are_given_once_as_many_vouch_as_must_stay(
    tmp_path: Path, heard: list[int], gives: bool
) -> None:
    every = [0, 1, 2, 3]
    one, _ = begun(tmp_path, 4, 3)
    assert all(client.masked(every) for client in one.clients)
    before = np.stack([client.sent["tags"] for client in one.clients])
    found = [c.ask("confirm", places=every, tags=before[:, p]) for p, c in enumerate(one.clients)]
    rows = np.stack([found[p]["tags"][A] for p in heard])  # type: ignore[index]
    # its own word it needs nobody for
    asked = {"places": every, "givers": heard, "tags": rows}
    assert (one.clients[A].ask("unmask", **asked) is not None) is gives


@pytest.mark.parametrize(("stay", "two"), [(3, True), (4, False)])
def test_two_lists_need_as_many_who_vouch_twice_as_the_bound_says(
    tmp_path: Path, stay: int, two: bool
) -> None:
    """Of five clients one colludes: 2 * 3 > 5 + 1 fails, 2 * 4 > 5 + 1 holds."""
    assert two == (2 * stay <= 5 + 1)
    one, group = begun(tmp_path, 5, stay)
    every, traitor = list(range(5)), 4
    assert all(client.masked(every) for client in one.clients)
    before = np.stack([client.sent["tags"] for client in one.clients])
    its = Keys.from_bytes(one.clients[traitor].context.state["fdd-secure-sum"]["keys"])  # type: ignore[index, arg-type]
    acted = []
    for real in ([0, 1], [2, 3]):
        more = [p for p in every if p not in real and p != traitor][: stay - 3]
        stayed = sorted([*real, traitor, *more])
        found = {
            p: one.clients[p].ask("confirm", places=stayed, tags=before[stayed, p]) for p in real
        }
        lie = tags(its, group, stayed, told(group, every, stayed))
        word = {p: rows["tags"] for p, rows in found.items() if rows} | {traitor: lie}
        for place in real:
            rows = [word[giver][stayed.index(place)] for giver in sorted(word)]
            asked = {"places": stayed, "givers": sorted(word), "tags": rows}
            acted.append(one.clients[place].ask("unmask", **asked) is not None)
    assert acted == [two] * 4


def test_a_client_that_knows_others_takes_part_in_no_neighbourhood(tmp_path: Path) -> None:
    one, _ = begun(tmp_path, 3, 2)
    one.clients[A].clients = 4
    assert not one.clients[A].masked([0, 1, 2])
    one.clients[1].clients = 3
    assert one.clients[1].masked([0, 1, 2])


def test_a_client_that_takes_lists_as_told_is_a_stranger(tmp_path: Path) -> None:
    write_keys(tmp_path, 3)
    unchecked = {"secure-sum-identity": str(tmp_path / "2")}
    nodes = [node_of(tmp_path, 0), node_of(tmp_path, 1), unchecked]
    assert Sum([Client(node) for node in nodes]).shares() == [False, False, True]
