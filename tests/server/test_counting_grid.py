"""How many messages a grid holds at a time, and that all replies come whatever it holds."""

from __future__ import annotations

from typing import Any

import pytest
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.superlink import grid as flowers

from fdd_flower.local_grid import _set_task_identity
from fdd_flower.server import grid as grid_module
from fdd_flower.server.grid import CountingGrid
from fdd_flower.wire import records
from tests.attacks.scene import HONEST, Server, config, honest_set, node_of
from tests.attacks.scene import message as answer_of


class Network:
    """Answers half of what it holds each time it is asked, and none of what is in `deaf`."""

    def __init__(self, deaf: frozenset[int] = frozenset()) -> None:
        self.held: dict[str, Message] = {}
        self.most, self.deaf, self.order = 0, deaf, list[int]()

    def push_messages(self, messages: list[Message]) -> list[str]:
        names = []
        for message in messages:
            node = message.metadata.dst_node_id
            self.order.append(node)
            names.append(str(node))
            self.held[str(node)] = message
        self.most = max(self.most, len(self.held))
        return names

    def pull_messages(self, ids: set[str]) -> list[Message]:
        able = [name for name in self.held if name in ids and int(name) not in self.deaf]
        found = []
        for name in able[: (len(able) + 1) // 2]:
            message = self.held.pop(name)
            message.metadata.__dict__["_message_id"] = name
            content = RecordDict({"meta": ConfigRecord({"client": name})})
            found.append(Message(content, reply_to=message))
        return found


class InMemoryGrid(Network):
    """By its name Flower's simulation."""


_set_task_identity()  # flwr builds a Message in a task of its own only


def asked(count: int) -> list[Message]:
    return [Message(RecordDict(), node, "train") for node in range(count)]


def test_each_message_counts_also_where_many_share_a_content_and_counts_begin_anew() -> None:
    content = RecordDict({"plan": ConfigRecord({"seed": 7})})
    other = RecordDict({"plan": ConfigRecord({"names": ["a", "b"]})})
    size, more = records.message_bytes(content), records.message_bytes(other)
    grid = CountingGrid(Network())  # type: ignore[arg-type]
    for _ in range(2):
        sent = [Message(content, node, "train") for node in range(3)]
        replies = list(grid.send_and_receive([*sent, Message(other, 3, "train")]))
        up = sum(records.message_bytes(reply.content) for reply in replies)
        assert len(replies) == 4
        assert grid.take_counts() == (up, 3 * size + more)
    assert grid.take_counts() == (0, 0)


def test_the_size_of_a_reply_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = config()
    replies = [answer_of(honest_set(key, cfg), node_of(key)) for key in HONEST]
    sizes = [records.message_bytes(reply.content) for reply in replies]
    measured: list[RecordDict] = []

    def counted(content: RecordDict) -> int:
        measured.append(content)
        return size(content)

    size = records.message_bytes
    monkeypatch.setattr(records, "message_bytes", counted)
    network = Network()
    monkeypatch.setattr(network, "pull_messages", lambda ids: replies)
    for reply in replies:
        reply.metadata.__dict__["_reply_to_message_id"] = str(reply.metadata.src_node_id)
    grid: Any = CountingGrid(network)  # type: ignore[arg-type]
    asked = [Message(RecordDict(), node_of(key), "train") for key in HONEST]
    found = Server(cfg).round(list(grid.send_and_receive(asked)))
    assert [verdict.num_bytes for verdict in found.verdicts] == sizes
    assert grid.bytes_up == sum(sizes)
    assert len(measured) == len(replies)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid_module, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(grid_module.os, "cpu_count", lambda: 2)


def replied(grid: Any, count: int, timeout: float | None) -> list[int]:
    found = CountingGrid(grid).send_and_receive(asked(count), timeout=timeout)
    return sorted(int(reply.metadata.reply_to_message_id) for reply in found)


@pytest.mark.parametrize(("kind", "most"), [(Network, 100), (InMemoryGrid, 16)])
def test_a_simulation_holds_few_messages_at_a_time(kind: type[Network], most: int) -> None:
    grid = kind()
    assert replied(grid, 100, None) == list(range(100))
    assert (grid.most, grid.order) == (most, list(range(100)))


def test_the_grid_of_flowers_simulation_has_that_name() -> None:
    assert flowers.InMemoryGrid.__name__ == grid_module.SIMULATION


def test_more_cores_keep_more_clients_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid_module.os, "cpu_count", lambda: 16)
    grid = InMemoryGrid()
    replied(grid, 100, None)
    assert grid.most == 64


@pytest.mark.parametrize("kind", [Network, InMemoryGrid])
def test_who_is_late_is_counted_whether_it_was_asked_or_not(
    kind: type[Network], caplog: pytest.LogCaptureFixture
) -> None:
    grid = kind(deaf=frozenset(range(20)))
    found = replied(grid, 40, 0.05)
    late = 40 - len(found)
    assert found == ([] if kind is InMemoryGrid else list(range(20, 40)))
    assert f"late are {late} of 40 clients" in caplog.text
