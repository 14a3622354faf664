"""The verdict on one reply by itself: a code for whatever is wrong, an exception for nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from flwr.app import Message, RecordDict

from fdd_flower.errors import FddError
from fdd_flower.report.units import one_line
from fdd_flower.server.side import Verdict
from fdd_flower.wire.records import Envelope, array_bytes, read_envelope, reply_bytes, to_bytes
from fdd_flower.wire.refusals import Code, RefusedError, code_of

T = TypeVar("T")
K = TypeVar("K")

# A reason goes into a log, a ledger and a page: it is shortened, and loses what is not printable.
REASON_WIDTH = 500
# Bytes of a message beside its arrays: names, types and shapes of arrays, envelope, metrics.
FRAMING = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules(Generic[T, K]):
    """What a reply of one round must be.

    Attributes
    ----------
    nonce, round
        Of the plan that it answers.
    max_bytes
        Of all its arrays as they travel. The whole message may have `FRAMING` more. Both are
        checked before anything is decoded.
    decode
        Returns what a reply holds, checked; what it raises becomes the verdict.
    keep
        Returns what is remembered of it. What this raises is no fault of the reply, and ends the
        round.
    identity
        Names what is remembered: two with the same are copies. None: copies are allowed.
    """

    nonce: str
    round: int
    max_bytes: int
    decode: Callable[[RecordDict], T]
    keep: Callable[[T], K]
    identity: Callable[[K], str] | None = None


@dataclass(slots=True, kw_only=True)
class Judged(Generic[K]):
    """A reply and its verdict; where that is a refusal, `envelope` and `content` are None."""

    message: Message
    verdict: Verdict
    envelope: Envelope | None = None
    content: K | None = None
    identity: str = ""

    @property
    def node(self) -> int:
        """The Flower node that replied."""
        return self.message.metadata.src_node_id

    def refuse(self, error: RefusedError) -> None:
        """Turn an accepted reply down: beside the others of its round it cannot stand."""
        self.verdict = replace(
            self.verdict, accepted=False, reason=_clean(error), code=error.code.value
        )
        self.envelope = self.content = None

    def payload(self, max_bytes: int) -> bytes | None:
        """Return the content as it came, or None where there is none, or more than allowed."""
        if not self.message.has_content() or self.verdict.num_bytes > max_bytes + FRAMING:
            return None
        return to_bytes(self.message.content)


def judge(message: Message, rules: Rules[T, K]) -> Judged[K]:
    """Return the verdict on a reply, as far as it depends on no other.

    What was decoded is gone when this returns, unless `rules.keep` keeps it.
    """
    client, seconds, size = f"node {message.metadata.src_node_id}", 0.0, 0
    try:
        if not message.has_content():
            raise _no_content(message)
        size = _size_within(message, rules.max_bytes)
        envelope = read_envelope(message.content)
        client, seconds = envelope.client, envelope.seconds
        _check_answers(envelope, rules)
        decoded = rules.decode(message.content)
    # Whatever hostile bytes raise is a reason to drop them, never to stop the round.
    except Exception as error:
        size = error.size if isinstance(error, _TooLargeError) else size
        verdict = Verdict(
            client=client,
            accepted=False,
            reason=_clean(error),
            num_bytes=size,
            seconds=seconds,
            code=code_of(error).value,
        )
        return Judged(message=message, verdict=verdict)
    verdict = Verdict(client=client, accepted=True, reason="", num_bytes=size, seconds=seconds)
    content = rules.keep(decoded)
    identity = "" if rules.identity is None else rules.identity(content)
    return Judged(
        message=message, verdict=verdict, envelope=envelope, content=content, identity=identity
    )


class _TooLargeError(RefusedError):
    """A reply that is too large, and how large it is."""

    def __init__(self, allowed: int, size: int) -> None:
        self.size = size
        super().__init__(
            "reply",
            expected=f"at most {allowed} bytes",
            got=f"{size} bytes",
            code=Code.TOO_LARGE,
        )


def _size_within(message: Message, max_bytes: int) -> int:
    """Return the size of a reply. Of one with too many bytes of arrays no copy is made."""
    arrays = array_bytes(message.content)
    if arrays > max_bytes:
        raise _TooLargeError(max_bytes, arrays)
    size = reply_bytes(message)
    if size > max_bytes + FRAMING:
        raise _TooLargeError(max_bytes + FRAMING, size)
    return size


def _no_content(message: Message) -> RefusedError:
    got = f"an error ({str(message.error.reason)[:120]})" if message.has_error() else "nothing"
    return RefusedError(
        "reply",
        expected="content",
        got=got,
        remedy="See the client's own log; it takes part again in the next round.",
        code=Code.CLIENT_ERROR,
    )


def _check_answers(envelope: Envelope, rules: Rules[T, K]) -> None:
    if envelope.nonce != rules.nonce:
        raise RefusedError(
            "reply.meta.nonce",
            expected="this run's",
            got="another run's",
            code=Code.WRONG_RUN,
        )
    if envelope.round != rules.round:
        raise RefusedError(
            "reply.meta.round",
            expected=f"round {rules.round} of this run",
            got=envelope.round,
            remedy="Raise strategy.deadline if the client was late.",
            code=Code.STALE_ROUND,
        )


def _clean(error: Exception) -> str:
    return one_line(str(error) if isinstance(error, FddError) else repr(error), REASON_WIDTH)
