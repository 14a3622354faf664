"""Two replies under one key, copies of a set, answers to other rounds: arrival decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import pytest
from flwr.app import Message, RecordDict

from fdd_flower.wire.records import reply
from fdd_flower.wire.refusals import Code
from tests.attacks.scene import (
    HONEST,
    LATE_NODE,
    LIAR,
    POSITIONS,
    Server,
    config,
    envelope,
    honest_set,
    message,
    meta,
    node_of,
    record,
)

CFG = config("float32")


def honest(round_: int = 1, keys: Sequence[str] = HONEST) -> list[Message]:
    return [message(honest_set(key, CFG, round_), node_of(key)) for key in keys]


def as_client(key: str, content: RecordDict, round_: int = 1) -> RecordDict:
    """Return the arrays of `content` in an envelope of `key`."""
    return reply(record(content), envelope(key, round_), {})


def with_liar(replies: list[Message], liar: Message, position: str) -> list[Message]:
    replies.insert(POSITIONS[position], liar)
    return replies


@pytest.mark.parametrize("position", POSITIONS)
def test_a_stranger_cannot_take_a_key_by_being_faster(tmp_path: Path, position: str) -> None:
    without = Server(CFG, tmp_path / "without").round(honest())
    liar = message(as_client("3", honest_set(LIAR, CFG)), LATE_NODE)
    found = Server(CFG, tmp_path / "with").round(with_liar(honest(), liar, position))
    assert [v.code for v in found.refused] == [Code.DUPLICATE_CLIENT]
    assert found.hash == without.hash


@pytest.mark.parametrize("position", POSITIONS)
def test_a_key_stays_with_the_node_that_had_it(tmp_path: Path, position: str) -> None:
    # The liar's node has the lower id, which decides between strangers only.
    liar = message(as_client("3", honest_set(LIAR, CFG, 2), 2), 0)
    hashes = []
    for name, replies in (
        ("without", honest(2)),
        ("with", with_liar(honest(2), liar, position)),
    ):
        server = Server(CFG, tmp_path / name)
        server.round(honest())
        found = server.round(replies, 2)
        hashes.append(found.hash)
    assert [v.code for v in found.refused] == [Code.DUPLICATE_CLIENT]
    assert hashes[0] == hashes[1]


def test_a_useless_reply_does_not_push_out_a_good_one_of_the_same_key(tmp_path: Path) -> None:
    bad = honest_set("3", CFG)
    meta(bad)["round"] = 9
    found = Server(CFG, tmp_path).round([message(bad, 0), *honest()])
    assert [v.code for v in found.refused] == [Code.STALE_ROUND]
    assert len(found.verdicts) == 4


def test_a_restarted_client_comes_back_under_its_key_from_another_node(tmp_path: Path) -> None:
    server = Server(CFG, tmp_path)
    server.round(honest())
    again = message(honest_set("3", CFG, 2), LATE_NODE)
    assert not server.round([*honest(2, HONEST[:2]), again], 2).refused


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("victim", HONEST)
def test_a_copy_of_an_earlier_set_is_refused(tmp_path: Path, victim: str, position: str) -> None:
    hashes = []
    for name in ("without", "with"):
        server = Server(CFG, tmp_path / name)
        server.round(honest())
        replies = honest(2)
        if name == "with":
            copy = message(as_client(LIAR, honest_set(victim, CFG, 1), 2), LATE_NODE)
            with_liar(replies, copy, position)
        found = server.round(replies, 2)
        hashes.append(found.hash)
    assert [v.code for v in found.refused] == [Code.DUPLICATE_SET]
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize("position", POSITIONS)
def test_of_two_that_send_a_new_set_the_one_known_before_stays(
    tmp_path: Path, position: str
) -> None:
    hashes = []
    for name in ("without", "with"):
        server = Server(CFG, tmp_path / name)
        server.round(honest())
        replies = honest(2)
        if name == "with":  # a lower key than the victim's would win between strangers
            copy = message(as_client(LIAR, honest_set("3", CFG, 2), 2), LATE_NODE)
            with_liar(replies, copy, position)
        found = server.round(replies, 2)
        hashes.append(found.hash)
    assert [v.client for v in found.refused] == [LIAR]
    assert hashes[0] == hashes[1]


def test_a_client_may_send_its_own_set_again(tmp_path: Path) -> None:
    server = Server(CFG, tmp_path)
    first = server.round(honest())
    same = [message(as_client(key, honest_set(key, CFG, 1), 2), node_of(key)) for key in HONEST]
    assert not server.round(same, 2).refused
    assert not first.refused


@pytest.mark.parametrize("position", POSITIONS)
def test_a_reply_of_an_earlier_round_is_stale(tmp_path: Path, position: str) -> None:
    old = message(honest_set(LIAR, CFG, 1), node_of(LIAR))
    hashes = []
    for name, replies in (
        ("without", honest(2)),
        ("with", with_liar(honest(2), old, position)),
    ):
        server = Server(CFG, tmp_path / name)
        server.round([*honest(), old])
        found = server.round(replies, 2)
        hashes.append(found.hash)
    assert [v.code for v in found.refused] == [Code.STALE_ROUND]
    assert hashes[0] == hashes[1]


def test_the_order_of_arrival_changes_nothing_at_all(tmp_path: Path) -> None:
    # A copy, a second reply for one key, and two keys of one value.
    odd = [
        message(as_client(LIAR, honest_set("0", CFG)), LATE_NODE),
        message(as_client("02", honest_set("5", CFG)), LATE_NODE + 1),
        message(as_client("3", honest_set("6", CFG)), LATE_NODE + 2),
    ]
    hashes = set()
    for number, order in enumerate(permutations([*honest()[:2], *odd])):
        if number % 10 == 0:
            found = Server(CFG, tmp_path / str(number)).round(order)
            hashes.add((found.hash, tuple(sorted((v.client, v.code) for v in found.verdicts))))
    assert len(hashes) == 1


def test_quorum_counts_usable_replies(tmp_path: Path) -> None:
    from fdd_flower.errors import QuorumError

    copies = [message(as_client(str(n), honest_set("0", CFG)), n + 1) for n in range(4)]
    said = "1 usable and 3 dropped, 3 of them 'duplicate-set', such as"
    with pytest.raises(QuorumError, match=said) as caught:
        Server(CFG, tmp_path).round(copies)
    assert len(str(caught.value.got)) < 250
