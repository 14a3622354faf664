"""LiRA: what a release looks like with a record and without it, learned from other releases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fdd_flower.audit.metrics import auc, tpr_at
from fdd_flower.audit.protocol import Known, take
from fdd_flower.audit.sums.trace import traces
from fdd_flower.audit.targets import Target
from fdd_flower.data.base import Split
from fdd_flower.rng import derive, numpy_stream

LEAST_SPREAD = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """How well likelihood ratios tell members from others.

    Attributes
    ----------
    releases
        That were made; each is attacked with what the others teach.
    auc, tpr
        Of the best score; the true positive rate is at 1 % false positives.
    score
        Which one that was.
    """

    releases: int
    records: int
    score: str
    auc: float
    tpr: float


def shadow_attack(
    target: Target,
    pool: Split,
    known: Known,
    *,
    releases: int,
    seed: int,
    progress: Callable[[], None] = lambda: None,
) -> Shadow:
    """Release random halves of `pool` again and again, and attack each by all others.

    Carlini et al. 2022, arXiv:2112.03570, offline in nothing: the attacker knows the records and
    how they are distilled, and makes as many releases as he likes.
    """
    coins = numpy_stream(seed, "audit", "shadow").random((releases, len(pool))) < 0.5
    found: dict[str, list[np.ndarray]] = {}
    for place, coin in enumerate(coins):
        release = target.release(take(pool, coin), known, derive(seed, "shadow", place))
        scores = release.scores(pool, learned=False) | traces(release, pool, known)
        for name, score in scores.items():
            found.setdefault(name, []).append(score.numpy())
        progress()
    rated = {name: likelihood_ratios(np.stack(all_), coins) for name, all_ in found.items()}
    best = max(rated, key=lambda name: auc(rated[name].ravel(), coins.ravel()))
    return Shadow(
        releases=releases,
        records=len(pool),
        score=best,
        auc=auc(rated[best].ravel(), coins.ravel()),
        tpr=tpr_at(rated[best].ravel(), coins.ravel()),
    )


def likelihood_ratios(scores: np.ndarray, coins: np.ndarray) -> np.ndarray:
    """Return the log-likelihood ratio of each record in each release, (releases, records).

    A record's scores are Gaussian with it and without it; the means are its own, the spread is that
    of all records, as arXiv:2112.03570 has it for few releases. No release teaches about itself.

    Parameters
    ----------
    scores, coins
        (releases, records): of each record in each release, and whether it was in.
    """
    number = len(scores)
    found = np.zeros_like(scores, dtype=np.float64)
    for place in range(number):
        rest = np.arange(number) != place
        means, spreads = zip(
            *(_gaussian(scores[rest], coins[rest] == inside) for inside in (True, False)),
            strict=True,
        )
        logs = [
            -np.square((scores[place] - mean) / spread) / 2 - np.log(spread)
            for mean, spread in zip(means, spreads, strict=True)
        ]
        found[place] = np.nan_to_num(logs[0] - logs[1])  # never in, or never out: nothing is known
    return found


def _gaussian(scores: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, float]:
    """Return each record's mean where `mask`, and the spread around these of all records."""
    count = mask.sum(0)
    with np.errstate(invalid="ignore"):
        mean = (scores * mask).sum(0) / np.where(count, count, np.nan)
    apart = np.square(scores - mean)[mask]
    freedom = max(1, int(np.clip(count - 1, 0, None).sum()))
    return mean, max(LEAST_SPREAD, float(np.sqrt(np.nansum(apart) / freedom)))
