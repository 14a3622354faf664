"""From signals to a verdict: a set is quarantined only where signals agree."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from fdd_flower.scoring.base import Embedded, Evidence, Finding
from fdd_flower.scoring.duplicates import COPIED, duplicates
from fdd_flower.scoring.labels import SIGNIFICANCE, label_agreement
from fdd_flower.scoring.outliers import outliers
from fdd_flower.scoring.redundancy import redundancy
from fdd_flower.scoring.root import Root
from fdd_flower.scoring.utility import utility
from fdd_flower.synthetic_set import SyntheticSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What the signals say of one client's set.

    Attributes
    ----------
    utility, agreement, outlier, copied
        See the signals' own docstrings; None where there was nothing to measure by.
    reason
        Why the set should be quarantined, in a sentence; empty otherwise.
    """

    utility: float | None
    agreement: float | None
    outlier: float | None
    copied: float | None
    reason: str


def score_sets(
    parts: Mapping[str, SyntheticSet],
    *,
    root: Root,
    earlier: Mapping[str, SyntheticSet],
    seed: int,
) -> dict[str, Score]:
    """Score the sets of a round.

    Parameters
    ----------
    parts
        By client, in the order of merging.
    earlier
        By client: the last set of its own that it sent in an earlier round.
    seed
        Of the run and the round; only sampled Shapley values draw.
    """
    evidence = Evidence(
        root=root,
        seed=seed,
        parts={client: Embedded.of(part, root) for client, part in parts.items()},
        earlier={client: Embedded.of(one, root) for client, one in earlier.items()},
    )
    worth, labels = utility(evidence), label_agreement(evidence)
    far, copies = outliers(evidence), duplicates(evidence)
    redundant = redundancy(evidence, copies)
    return {
        client: Score(
            utility=worth[client].value,
            agreement=labels[client].value,
            outlier=far[client].value,
            copied=copies[client].value,
            reason=reason(
                utility=worth[client],
                labels=labels[client],
                outlier=far[client],
                copies=copies[client],
                redundant=redundant[client],
            ),
        )
        for client in parts
    }


def reason(
    *,
    utility: Finding,
    labels: Finding,
    outlier: Finding,
    copies: Finding,
    redundant: Finding,
) -> str:
    """Return why a set is quarantined; empty where it is not.

    An honest client whose data differ from the others' is an outlier, and one among many adds
    nothing: so neither counts without wrong labels, and wrong labels count only with one of them.
    Of few rows wrong labels alone are never unlikely enough: they count with an outlier where both
    together are. Copied rows count where the set teaches nothing besides: two honest clients may
    share some records, and have others.
    """
    if copies.suspect and redundant.suspect:
        return f"{copies.why}, {redundant.why}"
    if labels.suspect and (utility.suspect or outlier.suspect):
        return "; ".join(one.why for one in (labels, utility, outlier) if one.suspect)
    # Below 1, labels agree more rarely than in half of all honest sets.
    if labels.chance < 1 and outlier.suspect:
        together = both(labels.chance, outlier.chance)
        if together < SIGNIFICANCE:
            return f"{labels.why}; {outlier.why}: together a chance of {together:.2g}"
    return ""


def both(p: float, q: float) -> float:
    """Return the chance of a product of two independent chances as small as `p` times `q`.

    Fisher's method (Statistical Methods for Research Workers, 1932, section 21.1).
    """
    product = p * q
    return product * (1 - math.log(product)) if product > 0 else 0.0


def is_copy(copied: float | None) -> bool:
    """Whether a set with this share of copied rows is no earlier set of the client's own."""
    return copied is not None and copied >= COPIED
