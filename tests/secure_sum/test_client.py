"""What a client answers in a secure sum, and what it does not, whatever the server asks."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import ConfigRecord, Context, Message, RecordDict

from fdd_flower.errors import DistillError, WireError
from fdd_flower.secure_sum.client import STEP, answer, masked_sketch
from fdd_flower.secure_sum.keys import Keys
from fdd_flower.secure_sum.protocol import Group, share
from fdd_flower.sketches.base import Sketch
from fdd_flower.wire.records import ARRAYS, CONFIG, META, PEERS, plan_record, to_array_record
from tests.attacks.scene import plan

SKETCH = Sketch(torch.tensor([8, 9]), {"means": torch.arange(5)})


class Client:
    """A client of three, of which a server asks what it likes."""

    def __init__(self) -> None:
        config: Any = {"partition-id": 0, "num-partitions": 3}
        self.context = Context(
            run_id=1, node_id=1, node_config=config, state=RecordDict(), run_config={}
        )

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


def test_it_gives_one_share_of_each_and_leaves_out_what_does_not_open():
    client = Client()
    publics, others = [client.ask("keys")], [Keys.draw() for _ in range(3)]
    publics += list(as_rows(o.public for o in others))
    group = Group(tuple(row.tobytes() for row in publics))
    own = client.ask("shares", keys=np.stack(publics))
    sealed = np.stack([own[0], *as_rows(share(o, group)[0] for o in others)])
    sealed[2] ^= 1
    places = np.arange(4)
    assert client.ask("unmask", places=places) is None  # not before the masked sketch
    assert client.ask("open", places=places, sealed=sealed).tolist() == [1, 1, 0, 1]
    assert client.ask("open", places=places, sealed=sealed) is None
    masked = partial(masked_sketch, SKETCH, plan=plan(), context=client.context)
    told = {"clients": np.array([4])}
    for wrong in ([1, 2, 3], [0, 1], [0, 1, 1], [0, 1, 9]):
        with pytest.raises(WireError):
            masked(to_array_record({"places": np.array(wrong)} | told))
    masked(to_array_record({"places": places} | told))
    with pytest.raises(WireError, match="a second one"):
        masked(to_array_record({"places": places} | told))
    given = client.ask("unmask", places=np.array([0, 1, 2]))
    assert given.shape == (4, 32)
    assert given.any(axis=1).tolist() == [True, True, False, True]
    assert client.ask("unmask", places=places) is None
    assert client.ask("keys") is None
    assert client.ask("shares", keys=np.stack(publics)) is None


def test_it_is_told_of_how_many_clients_the_sum_may_be_and_of_no_fewer_than_it_knows():
    client = Client()
    publics, others = [client.ask("keys")], [Keys.draw() for _ in range(2)]
    publics += list(as_rows(o.public for o in others))
    group = Group(tuple(row.tobytes() for row in publics))
    own = client.ask("shares", keys=np.stack(publics))
    sealed, places = np.stack([own[0], *as_rows(share(o, group)[0] for o in others)]), np.arange(3)
    client.ask("open", places=places, sealed=sealed)
    masked = partial(masked_sketch, SKETCH, plan=plan(), context=client.context)
    for wrong in ([], [2], [-1], [3, 3], [3.0]):
        with pytest.raises(WireError, match="secure sum"):
            masked(to_array_record({"places": places, "clients": np.array(wrong)}))
    with pytest.raises(WireError, match="clients of the other clients"):
        masked(to_array_record({"places": places}))
    # so many that this sketch could overflow the sum: not sent, and the question is used up
    with pytest.raises(DistillError, match="less than 5 steps"):
        masked(to_array_record({"places": places, "clients": np.array([2**39 // 5])}))
