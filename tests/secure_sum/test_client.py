"""What a client answers in a secure sum, and what it does not, whatever the server asks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, Context, Message, RecordDict

from fdd_flower.secure_sum.keys import Keys
from fdd_flower.strategies._secure_client import STEP, answer
from fdd_flower.wire.records import ARRAYS, CONFIG, META, PEERS, plan_record, to_array_record
from tests.attacks.scene import plan


class Client:
    """A client of three, of which a server asks what it likes."""

    def __init__(self) -> None:
        config: Any = {"partition-id": 0, "num-partitions": 3}
        self.context = Context(
            run_id=1, node_id=1, node_config=config, state=RecordDict(), run_config={}
        )  # fmt: skip

    def ask(self, step: str, round_: int = 1, nonce: str = "", **arrays: np.ndarray) -> Any:
        """Return what it sends, an array; None for a refusal."""
        its = replace(plan(), round=round_, nonce=nonce or plan().nonce)
        config = ConfigRecord({**plan_record(its), STEP: step})
        content = RecordDict({CONFIG: config, PEERS: to_array_record(arrays)})
        message = Message(content, 1, "query")
        message.metadata.__dict__["_message_id"] = "asked"
        found = answer(message, self.context).content
        if "refused" in found[META]:
            return None
        return next(iter(found[ARRAYS].values())).numpy()  # type: ignore[union-attr]


def as_rows(contents: Any) -> np.ndarray:
    return np.stack([np.frombuffer(content, np.uint8) for content in contents])


@pytest.mark.parametrize("again", [{}, {"round_": 2}, {"nonce": "f" * 16}])
def test_a_client_takes_part_in_one_sum_of_a_run(again):
    client = Client()
    assert client.ask("keys").shape == (64,)
    assert client.ask("keys", **again) is None


def test_it_gives_shares_to_one_group():
    client = Client()
    own, others = client.ask("keys"), [Keys.draw() for _ in range(3)]
    first = np.stack([own, *as_rows(o.public for o in others[:2])])
    other = np.stack([own, *as_rows(o.public for o in others[1:])])
    assert client.ask("shares", keys=first).shape == (3, 80)
    assert client.ask("shares", keys=other) is None
