"""All that one release shows, by every score, and whether it keeps what the target says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fdd_flower.audit.bounds.bayes import epsilon_interval
from fdd_flower.audit.bounds.counts import Counts, best_threshold
from fdd_flower.audit.bounds.one_run import epsilon_at_least
from fdd_flower.audit.copies import Copies, Pair, copy_test
from fdd_flower.audit.metrics import Roc, auc, roc, tpr_at
from fdd_flower.audit.outcome.rows import Score
from fdd_flower.audit.protocol import Canaries, Known
from fdd_flower.audit.released.base import Release
from fdd_flower.audit.released.rows import Rows
from fdd_flower.audit.sums.trace import traces
from fdd_flower.audit.targets import Target
from fdd_flower.data.base import Split

CONFIDENCE = 0.95
DELTA = 1e-5  # of the bounds, where a target claims none


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the attacks on one release found; the fields are those of `Finding`."""

    scores: dict[str, Score]
    best: str
    epsilon: float
    epsilon_interval: tuple[float, float]
    copies: Copies | None
    copies_embedded: Copies | None
    pairs: list[Pair]
    roc: Roc
    flags: tuple[str, ...]


def judge(
    target: Target,
    release: Release,
    canaries: Canaries,
    known: Known,
    *,
    members: Split | None = None,
) -> Judged:
    """Score every canary, bound epsilon, and test for copies.

    Parameters
    ----------
    members
        All records that were in, where some are no canaries; None: the canaries are all.
    """
    delta = target.claim.delta if target.claim else DELTA
    found = release.scores(canaries.records) | traces(release, canaries.records, known)
    values = {name: score.double().numpy() for name, score in found.items()}
    member = canaries.member
    scores = {
        name: Score(
            auc=auc(value, member),
            tpr=tpr_at(value, member),
            auc_by_kind=_by_kind(value, canaries),
            epsilon=epsilon_at_least(value, member, delta=delta, confidence=CONFIDENCE),
        )
        for name, value in values.items()
    }
    # each score is a test of its own: the error is shared among them
    each = 1 - (1 - CONFIDENCE) / len(values)
    epsilon = max(
        epsilon_at_least(value, member, delta=delta, confidence=each) for value in values.values()
    )
    best = max(scores, key=lambda name: scores[name].auc)
    copies, embedded, pairs = None, None, []
    if release.rows is not None:
        each = (canaries.members if members is None else members, canaries.others, known.reference)
        copies, pairs = copy_test(release.rows, *each)
        shown = Rows(release.rows, known)
        embedded, _ = copy_test(shown.embedded_rows(), *map(shown.embedded, each))
    return Judged(
        scores=scores,
        best=best,
        epsilon=epsilon,
        epsilon_interval=_interval(values[best], member, delta),
        copies=copies,
        copies_embedded=embedded,
        pairs=pairs,
        roc=roc(values[best], member),
        flags=flags(target, epsilon, copies, embedded),
    )


def flags(target: Target, epsilon: float, *copies: Copies | None) -> tuple[str, ...]:
    """Return what speaks against the target: no single test sees everything.

    A bound of epsilon from few canaries may lie below a claim while rows are plain copies.
    """
    found = []
    if target.claim is not None and epsilon > target.claim.epsilon:
        found.append("epsilon above the claim")
    if any(each is not None and each.too_many for each in copies):
        found.append("sends real records, as it says" if target.sends_real else "copies records")
    return tuple(found)


def _by_kind(score: np.ndarray, canaries: Canaries) -> dict[str, float]:
    found = {}
    for kind in sorted(set(canaries.kind)):
        own = canaries.kind == kind
        if len(set(canaries.member[own])) == 2:
            found[str(kind)] = auc(score[own], canaries.member[own])
    return found


def _interval(score: np.ndarray, member: np.ndarray, delta: float) -> tuple[float, float]:
    """Return the credible interval; one half of the canaries chooses the threshold."""
    half = len(score) // 2
    threshold = best_threshold(score[:half], member[:half])
    return epsilon_interval(Counts.at(score[half:], member[half:], threshold), delta=delta)
