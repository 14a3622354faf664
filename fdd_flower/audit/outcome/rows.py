"""What an audit found of each target, and what it makes of it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

from fdd_flower.audit.attributes import Attributes
from fdd_flower.audit.copies import Copies
from fdd_flower.audit.inversion import Inversion
from fdd_flower.audit.mechanism import Claim
from fdd_flower.audit.self_check import Check
from fdd_flower.audit.shadow import Shadow
from fdd_flower.audit.subjects import Subjects


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well one score tells members.

    Attributes
    ----------
    auc, tpr
        Of all canaries; the true positive rate is at 1 % false positives.
    auc_by_kind
        Of natural, mislabelled and outlying canaries.
    epsilon
        Lower bound at 95 % from this one run, by this score alone.
    """

    auc: float
    tpr: float
    auc_by_kind: dict[str, float]
    epsilon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the attacks made of one target; what was not tried, or does not apply, is None.

    Attributes
    ----------
    failed
        Why there is no release; empty: there is one.
    scores
        By name.
    epsilon
        Lower bound at 95 % over all scores together; None: no coins decided who was in.
    epsilon_interval
        95 % of the posterior of epsilon, from the guesses of the best score.
    copies, copies_embedded
        In the values of records, and in their features under the public networks.
    nearest_auc
        Of the distance to the nearest row of the same class.
    flags
        Why it is flagged; empty: nothing was found against what it says of itself.
    """

    name: str
    seed: int
    seconds: float
    failed: str = ""
    rows: int | None = None
    claim: Claim | None = None
    scores: dict[str, Score] = field(default_factory=dict)
    best: str = ""
    epsilon: float | None = None
    epsilon_interval: tuple[float, float] | None = None
    nearest_auc: float | None = None
    copies: Copies | None = None
    copies_embedded: Copies | None = None
    attributes: Attributes | None = None
    subjects: Subjects | None = None
    shadow: Shadow | None = None
    flags: tuple[str, ...] = ()

    @property
    def auc(self) -> float:
        """Of the best score."""
        return self.scores[self.best].auc if self.best else math.nan

    @property
    def tpr(self) -> float:
        """The largest true positive rate of a score, at 1 % false positives."""
        return max((score.tpr for score in self.scores.values()), default=math.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A whole audit.

    Attributes
    ----------
    about
        The data, the seeds, the number of canaries, versions and settings.
    """

    about: dict[str, Any]
    findings: list[Finding]
    inversions: list[Inversion] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    def to_json(self) -> str:
        """Return everything as JSON; infinities and NaN are null."""
        return json.dumps(_plain(asdict(self)), indent=2, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
