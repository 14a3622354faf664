"""The verdict on one reply, as the ledger keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from fdd_flower.errors import DataError

ACCEPTED = "accepted"
REJECTED = "rejected"
SUPERSEDED = "superseded"
FORGOTTEN = "forgotten"
QUARANTINED = "quarantined"  # the verdict, and its code
SUMMED = "summed"
KEPT = (ACCEPTED, QUARANTINED)  # verdicts on sets that were in order
VERDICTS = (ACCEPTED, QUARANTINED, SUMMED, REJECTED, SUPERSEDED, FORGOTTEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the index.

    Attributes
    ----------
    round, client, plan
        When, from whom, and in answer to what.
    verdict
        "accepted"; "quarantined": in order, and not used for what it scored; "summed": under
        masks, and in the sum that has a line of its own; "rejected";
        "superseded": of a round that was asked again after a restart; or "forgotten": the client's
        sets were taken out of this ledger.
    code
        The kind of fault, in a short word; empty when there is none.
    reason
        The same in a sentence.
    sha256
        Hash by which the content is found: of the set's values where it was in order, of the bytes
        as they came where it was rejected. Empty where nothing was kept.
    bytes
        Payload of the reply on the wire.
    score
        What the set was worth to a cheap model: its utility (`fdd_flower.scoring.utility`).
    agreement, outlier, copied
        The other signals of `fdd_flower.scoring`. All four are None where nobody measured them.
    """

    round: int
    client: str
    plan: str
    verdict: str
    code: str
    reason: str
    sha256: str
    bytes: int
    score: float | None = None
    agreement: float | None = None
    outlier: float | None = None
    copied: float | None = None


def accepted_entry(sha256: str, client: str, round: int, plan: str, num_bytes: int) -> Entry:
    """Return the line of a set that is used."""
    return Entry(
        round=round,
        client=client,
        plan=plan,
        verdict=ACCEPTED,
        code="",
        reason="",
        sha256=sha256,
        bytes=num_bytes,
    )


def summed_entry(client: str, round: int, plan: str, num_bytes: int) -> Entry:
    """Return the line of a masked sketch, of which nothing is kept but the sum that it is in."""
    return Entry(
        round=round,
        client=client,
        plan=plan,
        verdict=SUMMED,
        code="",
        reason="",
        sha256="",
        bytes=num_bytes,
    )


def is_refusal(entry: Entry) -> bool:
    """Whether the reply was refused, even if its round was asked again since.

    A superseded row no longer has its first verdict, but only a refusal has a reason, or a set
    that was quarantined, whose code says so.
    """
    if entry.code == QUARANTINED:
        return False
    return entry.verdict == REJECTED or bool(entry.code or entry.reason)


def check_entry(entry: Entry, where: str) -> None:
    """Check what a line that was read says; its hash is part of the name of a file.

    Raises
    ------
    DataError
        If it says what no run writes.
    """
    if entry.sha256 and not is_hash(entry.sha256):
        raise damaged(f"{where}, sha256", "64 hexadecimal digits", repr(entry.sha256)[:80])
    if entry.verdict not in VERDICTS:
        raise damaged(f"{where}, verdict", ", ".join(VERDICTS), repr(entry.verdict)[:80])
    if min(entry.round, entry.bytes) < 0:
        raise damaged(f"{where}, round and bytes", "from 0", f"{entry.round}, {entry.bytes}")


def is_hash(text: str) -> bool:
    """Whether `text` is a SHA-256 in hexadecimal."""
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def damaged(what: str, expected: str, got: object) -> DataError:
    """Return the error that names the damaged part of a ledger."""
    return DataError(
        what,
        expected=expected,
        got=got,
        remedy="The ledger was edited or damaged; restore it from a copy, or run again.",
    )
