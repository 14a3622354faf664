"""From raw replies to accepted ones: a verdict for each, an exception for none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from flwr.app import ArrayRecord, Message, RecordDict

from fdd_flower.errors import FddError, QuorumError
from fdd_flower.strategies._log import say
from fdd_flower.strategies.base import ServerSide, Verdict
from fdd_flower.wire.records import ARRAYS, Envelope, message_bytes, read_envelope

T = TypeVar("T")


def client_order(key: str) -> tuple[int, str]:
    """Sort key of client keys: numbers by value before names by letter."""
    return (int(key), "") if key.isdecimal() and key.isascii() else (2**63, key)


def screen(
    replies: Iterable[Message],
    *,
    server_round: int,
    side: ServerSide,
    judge: Callable[[RecordDict], T],
) -> list[tuple[Envelope, T]]:
    """Return the usable replies, sorted by client key; write a verdict for each reply.

    Parameters
    ----------
    judge
        Decodes the content of a reply; what it raises becomes the reason of rejection.

    Raises
    ------
    QuorumError
        If fewer than `strategy.quorum` are usable.
    """
    accepted: dict[str, tuple[Envelope, T]] = {}
    rejected = 0
    for message in replies:
        client, seconds, size = f"node {message.metadata.src_node_id}", 0.0, 0
        try:
            if message.has_error():
                raise _unusable("reply", "a set", f"an error ({str(message.error.reason)[:120]})")
            size = message_bytes(message.content)
            envelope = read_envelope(message.content)
            client, seconds = envelope.client, envelope.seconds
            if (envelope.nonce, envelope.round) != (side.plan.nonce, server_round):
                raise _unusable("reply.meta.round", f"round {server_round} of this run", "another")
            if client in accepted:
                raise _unusable("reply.meta.client", "one reply a client", "a second one")
            accepted[client] = (envelope, judge(message.content))
            side.client_at[message.metadata.src_node_id] = client
            verdict = Verdict(
                client=client, accepted=True, reason="", num_bytes=size, seconds=seconds
            )
        # Whatever hostile bytes raise is a reason to drop them, never to stop the round.
        except Exception as error:
            reason = str(error) if isinstance(error, FddError) else repr(error)[:200]
            verdict = Verdict(
                client=client, accepted=False, reason=reason, num_bytes=size, seconds=seconds
            )
            rejected += 1
            say(f"round {server_round}: dropped the reply of client {client}: {reason}")
            side.ledger.reject(
                client=client, round=server_round, plan=side.plan.nonce, reason=reason,
                num_bytes=size,
            )  # fmt: skip
        side.tally.verdicts.append(verdict)
    if len(accepted) < side.cfg.strategy.quorum:
        raise QuorumError(
            f"round {server_round}",
            expected=f"at least strategy.quorum = {side.cfg.strategy.quorum} usable replies",
            got=f"{len(accepted)} usable and {rejected} dropped",
            remedy="See the clients' logs; raise strategy.deadline if they were late.",
        )
    return [accepted[client] for client in sorted(accepted, key=client_order)]


def arrays_of(content: RecordDict) -> ArrayRecord:
    """Return the arrays of a reply whose envelope was read."""
    record = content[ARRAYS]
    assert isinstance(record, ArrayRecord)
    return record


def _unusable(what: str, expected: str, got: str) -> FddError:
    return FddError(what, expected=expected, got=got, remedy="The reply is dropped.")
