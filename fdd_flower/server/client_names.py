"""Who is at which node: a server that just started asks, for what it sends depends on it."""

from __future__ import annotations

from collections.abc import Iterable

from flwr.app import ConfigRecord, Message, MessageType, RecordDict
from flwr.serverapp import Grid

from fdd_flower.config import StrategyConfig
from fdd_flower.distillers.base import Plan
from fdd_flower.progress_log import say
from fdd_flower.wire.records import CONFIG, read_envelope
from fdd_flower.wording import many


def names_of(
    grid: Grid, nodes: Iterable[int], config: ConfigRecord, *, plan: Plan, cfg: StrategyConfig
) -> dict[int, str]:
    """Return the client key by node, of the nodes that answer before the deadline.

    Parameters
    ----------
    config
        The plan of the round, as clients read it.
    """
    messages = [Message(RecordDict({CONFIG: config}), n, MessageType.QUERY) for n in nodes]
    say(f"asking {many(len(messages), 'client')} who they are")
    found = {}
    for answer in grid.send_and_receive(messages, timeout=cfg.deadline):
        node = answer.metadata.src_node_id
        try:
            envelope = read_envelope(answer.content)
        # what a client sends is never a reason to stop
        except Exception as error:
            say(f"node {node} does not say who it is: {str(error)[:200]}")
            continue
        if envelope.nonce == plan.nonce:
            found[node] = envelope.client
    return found
