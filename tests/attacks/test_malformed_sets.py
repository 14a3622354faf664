"""Every malformed set among honest replies: refused, and as if it had not come."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from flwr.app import Message

from fdd_flower.wire.refusals import Code
from tests.attacks.malformed_sets import ATTACKS
from tests.attacks.scene import (
    HONEST,
    LIAR,
    POSITIONS,
    Outcome,
    Server,
    config,
    honest_set,
    message,
    node_of,
)


def test_there_are_at_least_forty() -> None:
    assert len(ATTACKS) >= 40


@cache
def honest(codec: str, shape: tuple[int, ...]) -> tuple[Message, ...]:
    cfg = config(codec)
    return tuple(message(honest_set(k, cfg, shape=shape), node_of(k)) for k in HONEST)


@cache
def without(codec: str, shape: tuple[int, ...]) -> str:
    found = Server(config(codec), shape=shape).round(honest(codec, shape))
    assert not found.refused
    return found.hash


def attacked(name: str, position: str, server: Server) -> Outcome:
    attack = ATTACKS[name]
    changed = attack.change(honest_set(LIAR, server.cfg, shape=attack.shape))
    assert changed is not None
    replies = list(honest(attack.codec, attack.shape))
    replies.insert(POSITIONS[position], message(changed, node_of(LIAR)))
    return server.round(replies)


ONE_A_CODE = {attack.code: name for name, attack in ATTACKS.items()}
CASES = [(name, "middle") for name in ATTACKS]
# where it stands can matter to how it is refused, and not to what is wrong with it
CASES += [(name, place) for name in ONE_A_CODE.values() for place in ("first", "last")]


@pytest.mark.parametrize(("name", "position"), CASES)
def test_it_is_refused_and_the_result_is_as_without_it(name: str, position: str) -> None:
    attack = ATTACKS[name]
    server = Server(config(attack.codec), shape=attack.shape)
    found = attacked(name, position, server)
    (refused,) = found.refused
    assert refused.code == attack.code
    assert refused is found.verdicts[POSITIONS[position]]
    assert "expected" in refused.reason
    assert len(refused.reason) <= 500
    assert refused.reason.isprintable()
    assert found.hash == without(attack.codec, attack.shape)


@pytest.mark.parametrize("name", ONE_A_CODE.values())
def test_log_ledger_and_tally_have_the_code(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    attack = ATTACKS[name]
    server = Server(config(attack.codec), tmp_path, shape=attack.shape)
    with caplog.at_level("INFO", logger="flwr"):
        (refused,) = attacked(name, "middle", server).refused
    assert f"client {refused.client}: [{attack.code}] " in caplog.text
    (entry,) = [entry for entry in server.entries() if entry.verdict == "rejected"]
    assert (entry.code, entry.reason, entry.client, entry.bytes) == (
        attack.code,
        refused.reason,
        refused.client,
        refused.num_bytes,
    )
    assert server.side.tally.rejected_codes() == {attack.code: 1}


def test_every_code_that_a_set_can_get_alone_has_an_attack() -> None:
    assert set(Code) - set(ONE_A_CODE) == {Code.DUPLICATE_CLIENT, Code.UNEXPECTED}
