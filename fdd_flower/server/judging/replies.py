"""From raw replies to accepted ones: a verdict for each, an exception for none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

from flwr.app import ArrayRecord, Message, RecordDict

from fdd_flower.errors import QuorumError
from fdd_flower.ledger import KEPT
from fdd_flower.progress_log import say
from fdd_flower.report.units import one_line
from fdd_flower.server.judging.duplicates import client_order, keep_one_a_client, keep_one_a_set
from fdd_flower.server.judging.validator import Judged, Rules, judge
from fdd_flower.server.side import ServerSide, Verdict
from fdd_flower.wire.records import ARRAYS, Envelope
from fdd_flower.wire.refusals import DROPPED

T = TypeVar("T")
K = TypeVar("K")

EXAMPLE = 160  # characters of one reply's reason in the error that ends a run


def judged_replies(
    replies: Iterable[Message], *, side: ServerSide, rules: Rules[T, K]
) -> list[tuple[Envelope, K]]:
    """Return the usable replies, sorted by client key; write a verdict for each reply.

    Each is judged, and its decoded form given up, before the next is looked at. The encoded ones
    stay in memory until the last: which of two replies is refused, and kept as it came, is known
    only then.

    Raises
    ------
    QuorumError
        If fewer than `strategy.quorum` are usable.
    """
    judged = [judge(message, rules) for message in replies]
    keep_one_a_client(judged, side.client_at)
    if rules.identity is not None:
        _keep_one_a_set(judged, side)
    accepted: dict[str, tuple[Envelope, K]] = {}
    for one in judged:
        side.tally.verdicts.append(one.verdict)
        if one.envelope is None or one.content is None:
            note_refusal(one, side, rules)
        else:
            accepted[one.envelope.client] = (one.envelope, one.content)
            side.client_at[one.node] = one.envelope.client
    if len(accepted) < side.cfg.strategy.quorum:
        dropped = [one.verdict for one in judged if not one.verdict.accepted]
        raise below_quorum(
            side,
            rules.round,
            f"{len(accepted)} usable and {len(dropped)} dropped{_mostly(dropped)}",
            "See the clients' logs; raise strategy.deadline if they were late.",
        )
    return [accepted[client] for client in sorted(accepted, key=client_order)]


def below_quorum(side: ServerSide, round_: int, got: str, remedy: str) -> QuorumError:
    """Return the error of a round with fewer usable replies than `strategy.quorum`."""
    return QuorumError(
        f"round {round_}",
        expected=f"at least strategy.quorum = {side.cfg.strategy.quorum} usable replies",
        got=got,
        remedy=remedy,
    )


def _mostly(dropped: Sequence[Verdict]) -> str:
    """Return the code that most of `dropped` have, and one reason: as the log already says it."""
    if not dropped:
        return ""
    counts = Counter(verdict.code for verdict in dropped)
    code, count = min(counts.items(), key=lambda item: (-item[1], item[0]))
    reason = min(verdict.reason for verdict in dropped if verdict.code == code)
    example = one_line(reason.removesuffix(f" {DROPPED}").rstrip("."), EXAMPLE)
    return f", {count} of them {code!r}, such as {example}"


def arrays_of(content: RecordDict) -> ArrayRecord:
    """Return the arrays of a reply whose envelope was read."""
    record = content[ARRAYS]
    assert isinstance(record, ArrayRecord)
    return record


def _keep_one_a_set(judged: list[Judged[K]], side: ServerSide) -> None:
    # Read again each round: a run that was resumed, or forgot a client, then judges as one that
    # never stopped, or never had it.
    before = [entry for entry in side.ledger.entries() if entry.verdict in KEPT]
    owners = {entry.sha256: entry.client for entry in reversed(before)}
    keep_one_a_set(judged, owners, {entry.client for entry in before})


def note_refusal(one: Judged[K], side: ServerSide, rules: Rules[T, K]) -> None:
    """Say in the log and in the ledger that a reply is dropped, and why."""
    verdict = one.verdict
    say(
        f"round {rules.round}: dropped the reply of client {verdict.client}: "
        f"[{verdict.code}] {verdict.reason}"
    )
    side.ledger.reject(
        client=verdict.client,
        round=rules.round,
        plan=rules.nonce,
        code=verdict.code,
        reason=verdict.reason,
        num_bytes=verdict.num_bytes,
        content=one.payload(rules.max_bytes),
    )
