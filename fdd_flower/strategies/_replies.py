"""From raw replies to accepted ones: a verdict for each, an exception for none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from flwr.app import ArrayRecord, Message, RecordDict

from fdd_flower.errors import QuorumError
from fdd_flower.ledger import ACCEPTED, KEPT, QUARANTINED
from fdd_flower.report.units import one_line
from fdd_flower.rng import derive
from fdd_flower.scoring import Score, is_copy, score_sets
from fdd_flower.strategies._log import say
from fdd_flower.strategies._twins import client_order, keep_one_a_client, keep_one_a_set
from fdd_flower.strategies._validator import REASON_WIDTH, Judged, Rules, judge
from fdd_flower.strategies.base import ServerSide
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.records import ARRAYS, Envelope

T = TypeVar("T")


def screen(
    replies: Iterable[Message], *, side: ServerSide, rules: Rules[T]
) -> list[tuple[Envelope, T]]:
    """Return the usable replies, sorted by client key; write a verdict for each reply.

    Raises
    ------
    QuorumError
        If fewer than `strategy.quorum` are usable.
    """
    judged = [judge(message, rules) for message in replies]
    keep_one_a_client(judged, side.client_at)
    if rules.identity is not None:
        _keep_one_a_set(judged, side)
    accepted: dict[str, tuple[Envelope, T]] = {}
    for one in judged:
        side.tally.verdicts.append(one.verdict)
        if one.envelope is None or one.content is None:
            _note_refusal(one, side, rules)
        else:
            accepted[one.envelope.client] = (one.envelope, one.content)
            side.client_at[one.node] = one.envelope.client
    if len(accepted) < side.cfg.strategy.quorum:
        raise _below_quorum(
            side, rules.round, f"{len(accepted)} usable and {len(judged) - len(accepted)} dropped",
            "See the clients' logs; raise strategy.deadline if they were late.",
        )  # fmt: skip
    return [accepted[client] for client in sorted(accepted, key=client_order)]


def trusted(
    parts: Mapping[str, SyntheticSet], *, side: ServerSide, round_: int
) -> dict[str, SyntheticSet]:
    """Score the sets of a round, which the ledger has, and return those that stay.

    All of them, but with `scoring.mode = quarantine`. A set that goes keeps its line in the ledger,
    with reason and scores, and its verdict becomes a refusal with the code `quarantined`.

    Raises
    ------
    QuorumError
        If fewer than `strategy.quorum` stay.
    """
    cfg, root = side.cfg.scoring, side.root
    if root is None:
        return dict(parts)
    seed = derive(side.cfg.seed, "scoring", round_)
    found = score_sets(parts, root=root, cfg=cfg, earlier=_earlier(side, round_), seed=seed)
    for client, score in found.items():
        aside = one_line(score.reason, REASON_WIDTH) if cfg.mode == "quarantine" else ""
        _note_score(score, aside, client, side, round_)
    kept = {c: p for c, p in parts.items() if cfg.mode != "quarantine" or not found[c].reason}
    if len(kept) < side.cfg.strategy.quorum:
        raise _below_quorum(
            side, round_, f"{len(kept)}, and {len(parts) - len(kept)} in quarantine",
            "See `fdd ledger RUN --scores`; scoring.mode=score only measures.",
        )  # fmt: skip
    return kept


def _earlier(side: ServerSide, round_: int) -> dict[str, SyntheticSet]:
    """Return the last set of its own that each client sent before, from the ledger."""
    last = {
        entry.client: entry.sha256 for entry in side.ledger.entries()
        if entry.verdict == ACCEPTED and entry.round < round_
        and not is_copy(entry.copied, side.cfg.scoring)
    }  # fmt: skip
    return {client: side.ledger.load(sha256) for client, sha256 in last.items()}


def _note_score(score: Score, aside: str, client: str, side: ServerSide, round_: int) -> None:
    side.ledger.score(
        client=client, round=round_, value=score.utility, agreement=score.agreement,
        outlier=score.outlier, copied=score.copied, quarantine=aside,
    )  # fmt: skip
    if not aside:
        return
    say(f"round {round_}: put the set of client {client} in quarantine: {aside}")
    side.tally.verdicts = [
        replace(verdict, accepted=False, code=QUARANTINED, reason=aside)
        if verdict.accepted and verdict.client == client else verdict
        for verdict in side.tally.verdicts
    ]  # fmt: skip


def _below_quorum(side: ServerSide, round_: int, got: str, remedy: str) -> QuorumError:
    return QuorumError(
        f"round {round_}",
        expected=f"at least strategy.quorum = {side.cfg.strategy.quorum} usable replies",
        got=got,
        remedy=remedy,
    )


def arrays_of(content: RecordDict) -> ArrayRecord:
    """Return the arrays of a reply whose envelope was read."""
    record = content[ARRAYS]
    assert isinstance(record, ArrayRecord)
    return record


def _keep_one_a_set(judged: list[Judged[T]], side: ServerSide) -> None:
    # Read anew each round: a run that was resumed, or forgot a client, then judges as one that
    # never stopped, or never had it.
    before = [entry for entry in side.ledger.entries() if entry.verdict in KEPT]
    owners = {entry.sha256: entry.client for entry in reversed(before)}
    keep_one_a_set(judged, owners, {entry.client for entry in before})


def _note_refusal(one: Judged[T], side: ServerSide, rules: Rules[T]) -> None:
    verdict = one.verdict
    say(
        f"round {rules.round}: dropped the reply of client {verdict.client}: "
        f"[{verdict.code}] {verdict.reason}"
    )
    side.ledger.reject(
        client=verdict.client, round=rules.round, plan=rules.nonce, code=verdict.code,
        reason=verdict.reason, num_bytes=verdict.num_bytes,
        content=one.payload(rules.max_bytes),
    )  # fmt: skip
