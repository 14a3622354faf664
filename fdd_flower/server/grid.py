"""A Grid that counts bytes, keeps the deadline and shows each reply as it comes."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator

from flwr.app import Message
from flwr.serverapp import Grid

from fdd_flower.errors import QuorumError
from fdd_flower.progress_log import say
from fdd_flower.wire.records import message_bytes, reply_bytes
from fdd_flower.wording import many

POLL_SECONDS = 0.2
SIMULATION = "InMemoryGrid"  # a name, for its module would bring the whole SuperLink with it


class CountingGrid:
    """Wraps any Flower Grid; every strategy runs through it, so all are counted alike."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._at_once = at_once(grid)
        self.bytes_up = 0
        self.bytes_down = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._grid, name)

    def take_counts(self) -> tuple[int, int]:
        """Return (bytes up, bytes down) since the last call."""
        counts = self.bytes_up, self.bytes_down
        self.bytes_up = self.bytes_down = 0
        return counts

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterator[Message]:
        """Send, then collect replies until all are here or `timeout` seconds have passed.

        They are handed over: Flower's loop keeps what this returns for as long as the round lasts,
        and would keep every reply with it.
        """
        replies = self._collect(list(messages), timeout)
        replies.reverse()
        return (replies.pop() for _ in range(len(replies)))

    def _collect(self, messages: list[Message], timeout: float | None) -> list[Message]:
        if not messages:
            return []
        # Messages of a round may carry one content; its size is then computed once.
        sizes: dict[int, int] = {}
        for message in messages:
            content = message.content
            if id(content) not in sizes:
                sizes[id(content)] = message_bytes(content)
            self.bytes_down += sizes[id(content)]
        total, started = len(messages), time.monotonic()
        unsent, waiting = deque(messages), set[str]()
        replies: list[Message] = []
        while unsent or waiting:
            count = min(len(unsent), self._at_once - len(waiting))
            if count > 0:
                waiting.update(self._grid.push_messages([unsent.popleft() for _ in range(count)]))
            pulled = list(self._grid.pull_messages(waiting))
            for reply in pulled:
                waiting.discard(reply.metadata.reply_to_message_id)
                replies.append(reply)
                self._show(reply, len(replies), total, time.monotonic() - started)
            if timeout is not None and time.monotonic() - started >= timeout:
                break
            if waiting and not pulled:
                time.sleep(POLL_SECONDS)
        if late := len(waiting) + len(unsent):
            say(f"deadline of {timeout:g} s passed: late are {late} of {many(total, 'client')}")
        return replies

    def _show(self, reply: Message, done: int, total: int, seconds: float) -> None:
        size = reply_bytes(reply)
        self.bytes_up += size
        say(f"client {done}/{total} replied after {seconds:.1f} s ({size / 1000:.1f} kB)")


def at_once(grid: Grid) -> int:
    """Return how many messages a grid may hold of which no reply has been taken.

    On a network all go out at once, so that clients work side by side. Flower's simulation looks
    through every message that it holds, again and again, for every client: with a thousand of
    either that took four fifths of its server's time. It gets what keeps its workers busy.
    """
    if type(grid).__name__ != SIMULATION:
        return sys.maxsize
    return max(16, 4 * (os.cpu_count() or 1))


def wait_for_nodes(
    grid: Grid, minimum: int, *, seconds: float, least: int | None = None
) -> list[int]:
    """Return the connected nodes, sorted, once there are at least `minimum`.

    After `seconds` it continues with `least` clients, if that is given.

    Raises
    ------
    QuorumError
        If they do not come within `seconds`.
    """
    least = minimum if least is None else least
    until, told = time.monotonic() + seconds, -1
    while True:
        nodes = sorted(grid.get_node_ids())
        if len(nodes) >= minimum:
            return nodes
        if time.monotonic() >= until:
            if len(nodes) >= least:
                say(
                    f"connected after {seconds:g} s: {len(nodes)} of {many(minimum, 'client')}; "
                    "starting"
                )
                return nodes
            raise QuorumError(
                "connected clients",
                expected=f"at least {least}, by strategy.min-nodes and strategy.quorum",
                got=f"{len(nodes)} after {seconds:g} s",
                remedy="Start more SuperNodes, or lower strategy.min-nodes and strategy.quorum.",
            )
        if len(nodes) != told:
            told = len(nodes)
            say(f"waiting for clients: {told} of {minimum} are connected")
        time.sleep(POLL_SECONDS)
