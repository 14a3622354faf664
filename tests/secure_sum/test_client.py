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
from fdd_flower.secure_sum.client import STEP, answer, flat, masked_values
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


class Question:
    """A client that was asked all that comes before one step, and an honest question for it."""

    def __init__(self, step: str) -> None:
        self.client = Client()
        publics, others = [self.client.ask("keys")], [Keys.draw() for _ in range(3)]
        publics += list(as_rows(o.public for o in others))
        keys, group = np.stack(publics), Group(tuple(row.tobytes() for row in publics))
        places = np.arange(4)
        self.arrays: dict[str, Any] = {"keys": keys}
        if step == "shares":
            return
        own = self.client.ask("shares", keys=keys)
        sealed = np.stack([own[0], *as_rows(share(o, group)[0] for o in others)])
        self.arrays = {"places": places, "sealed": sealed}
        if step == "open":
            return
        self.client.ask("open", **self.arrays)
        self.arrays = {"places": places, "clients": np.array([4])}
        if step == "masked":
            return
        assert self.ask("masked")
        self.arrays = {"places": places[:3]}

    def ask(self, step: str) -> bool:
        """Return whether the client answers; what it raises must be an error with a name."""
        if step != "masked":
            return self.client.ask(step, **self.arrays) is not None
        try:
            peers = to_array_record(self.arrays)
            masked_values(flat(SKETCH), peers, plan=plan(), context=self.client.context)
        except (WireError, DistillError):
            return False
        return True


STEPS = {
    "shares": ["keys"],
    "open": ["places", "sealed"],
    "masked": ["places", "clients"],
    "unmask": ["places"],
}
WRONG: dict[str, Any] = {
    "empty": lambda x: x[:0],
    "of no columns": lambda x: x.reshape(len(x), -1)[:, :0],
    "a float": lambda x: x.astype(np.float32),
    "a bool": lambda x: x.astype(bool),
    "text": lambda x: x.astype("U4"),
    "a record": lambda x: np.zeros(x.shape, [("a", "i8")]),
    "an axis more": lambda x: x[None],
    "no axis": lambda x: x.reshape(-1)[0],
    "one twice": lambda x: np.concatenate([x[:1], x]),
    "below range": lambda x: -x.astype(np.int64) - 1,
    "above range": lambda x: x.astype(np.uint64) + np.uint64(2**63),
    "signed bytes": lambda x: x.astype(np.int8) if x.ndim == 2 else x[None],
    "all alike": lambda x: x * 0,
    "far too many": lambda x: np.concatenate([x] * 40),
}


@pytest.mark.parametrize(
    ("step", "name"), [(step, name) for step, names in STEPS.items() for name in names]
)
def test_a_question_of_any_other_form_is_refused(step: str, name: str) -> None:
    assert Question(step).ask(step)
    answered = []
    for how, change in WRONG.items():
        asked = Question(step)
        asked.arrays[name] = change(asked.arrays[name])
        if asked.ask(step):
            answered.append(how)
    # what does not open is no fault of the question: the client says so of each place
    assert answered == (["all alike"] if name == "sealed" else [])
    missing = Question(step)
    del missing.arrays[name]
    assert not missing.ask(step)


@pytest.mark.parametrize("step", [[], ["keys"], "", "masked", 1, b"keys", True])
def test_a_step_that_is_none_is_refused(step: Any) -> None:
    assert Client().ask(step) is None


def test_what_a_library_raises_does_not_leave(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("secret")

    monkeypatch.setattr("fdd_flower.secure_sum.client.Keys.draw", fail)
    assert Client().ask("keys") is None
    assert "secret" in caplog.text


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
    masked = partial(masked_values, flat(SKETCH), plan=plan(), context=client.context)
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
    masked = partial(masked_values, flat(SKETCH), plan=plan(), context=client.context)
    for wrong in ([], [2], [-1], [3, 3], [3.0]):
        with pytest.raises(WireError, match="secure sum"):
            masked(to_array_record({"places": places, "clients": np.array(wrong)}))
    with pytest.raises(WireError, match="clients of the other clients"):
        masked(to_array_record({"places": places}))
    # so many that this sketch could overflow the sum: not sent, and the question is used up
    with pytest.raises(DistillError, match="less than 5 steps"):
        masked(to_array_record({"places": places, "clients": np.array([2**39 // 5])}))
