"""From accepted sets to those that are merged: each is scored, and may be quarantined."""

from __future__ import annotations

from dataclasses import replace

from fdd_flower.ledger import ACCEPTED, QUARANTINED, StoredSets
from fdd_flower.progress_log import say
from fdd_flower.report.units import one_line
from fdd_flower.rng import derive
from fdd_flower.scoring import Score, is_copy, score_sets
from fdd_flower.server.judging.replies import below_quorum
from fdd_flower.server.judging.validator import REASON_WIDTH
from fdd_flower.server.side import ServerSide


def screened(parts: StoredSets, *, side: ServerSide, round_: int) -> StoredSets:
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
        return parts
    seed = derive(side.cfg.seed, "scoring", round_)
    found = score_sets(parts, root=root, earlier=_earlier(side, round_), seed=seed)
    for client, score in found.items():
        aside = one_line(score.reason, REASON_WIDTH) if cfg.mode == "quarantine" else ""
        _note_score(score, aside, client, side, round_)
    kept = parts.only([c for c in parts if cfg.mode != "quarantine" or not found[c].reason])
    if len(kept) < side.cfg.strategy.quorum:
        raise below_quorum(
            side,
            round_,
            f"{len(kept)}, and {len(parts) - len(kept)} in quarantine",
            "See `fdd ledger RUN --scores`; scoring.mode=score only measures.",
        )
    return kept


def _earlier(side: ServerSide, round_: int) -> StoredSets:
    """Return the last set of its own that each client sent before, from the ledger."""
    last = {
        entry.client: entry.sha256
        for entry in side.ledger.entries()
        if entry.verdict == ACCEPTED and entry.round < round_ and not is_copy(entry.copied)
    }
    return side.ledger.sets(last)


def _note_score(score: Score, aside: str, client: str, side: ServerSide, round_: int) -> None:
    side.ledger.score(
        client=client,
        round=round_,
        value=score.utility,
        agreement=score.agreement,
        outlier=score.outlier,
        copied=score.copied,
        quarantine=aside,
    )
    if not aside:
        return
    say(f"round {round_}: quarantined the set of client {client}: {aside}")
    side.tally.verdicts = [
        replace(verdict, accepted=False, code=QUARANTINED, reason=aside)
        if verdict.accepted and verdict.client == client
        else verdict
        for verdict in side.tally.verdicts
    ]
