"""Who a client is: the name it goes by across restarts, and its answer to a server that asks."""

from __future__ import annotations

from flwr.app import ArrayRecord, Context, Message

from fdd_flower.wire.records import Envelope, read_plan, reply


def client_key(context: Context) -> str:
    """Return what names this client across restarts: node config first, node id last."""
    for name in ("client-name", "partition-id"):
        if name in context.node_config:
            return str(context.node_config[name])
    return str(context.node_id)


def introduce(message: Message, context: Context) -> Message:
    """Return the answer of a client: its key, and nothing of its data.

    Raises
    ------
    WireError
        If the plan cannot be read.
    """
    plan = read_plan(message.content)
    envelope = Envelope(client=client_key(context), nonce=plan.nonce, round=plan.round, seconds=0.0)
    return Message(reply(ArrayRecord(), envelope, {}), reply_to=message)
