"""The audit audits itself: the package's mechanism as it is, and broken on purpose."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from fdd_flower.audit.mechanism import Answer, Claim, MechanismAudit, audit_mechanism
from fdd_flower.privacy.accountant import sigma_for
from fdd_flower.privacy.mechanism import Mechanism
from fdd_flower.privacy.noise import Noise, discrete_gaussian
from fdd_flower.rng import derive

GRID = 1024
DELTA = 1e-5
CLASSES = 20_000  # canaries that count, and as many to learn from


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A mistake in a mechanism.

    Attributes
    ----------
    noise
        Of the noise that is charged for, the share that is added.
    extra
        Releases, with noise of their own, that nobody charges for.
    counts
        The records of each class are told as they are.
    """

    noise: float = 1.0
    extra: int = 0
    counts: bool = False


CORRECT = "correct"
FAULTS = {
    CORRECT: Fault(),
    "a tenth of the noise": Fault(noise=0.1),
    "noise drawn anew three times": Fault(extra=3),
    "counts told exactly": Fault(counts=True),
    "the accountant one release short": Fault(extra=1),
}


@lru_cache(maxsize=8)
def _sigma(epsilon: float, releases: int) -> float:
    return sigma_for(epsilon, DELTA, releases=releases)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What the audit made of one mechanism."""

    fault: str
    claimed: float
    found: MechanismAudit

    @property
    def wrong(self) -> bool:
        """Whether the audit missed the fault, or flagged a mechanism that has none."""
        return self.found.broken == (self.fault == CORRECT)


def self_check(epsilon: float, *, seed: int, noise: Noise = discrete_gaussian) -> list[Check]:
    """Audit the mechanism that claims `epsilon` at delta 1e-5, correct and with each fault.

    The verdict on a correct mechanism is wrong by chance in 1 of 20 draws: a wrong verdict is
    drawn once more, and the second one counts.
    """
    checks = []
    for name, fault in FAULTS.items():
        claim, answer = faulty(fault, epsilon, noise=noise)
        for draw in (seed, derive(seed, "again")):
            found = audit_mechanism(answer, claim, classes=CLASSES, seed=draw)
            check = Check(fault=name, claimed=epsilon, found=found)
            if not check.wrong:
                break
        checks.append(check)
    return checks


def faulty(
    fault: Fault, epsilon: float, *, charged: int = 1, noise: Noise = discrete_gaussian
) -> tuple[Claim, Answer]:
    """Return what a mechanism of `charged` releases claims, and the mechanism with its fault.

    Its canaries are one number each, of the full length that the clip lets through, a class each.
    """
    sigma = _sigma(epsilon, charged)
    mechanism = Mechanism(GRID, sigma * fault.noise, noise)

    def answer(present: np.ndarray) -> Mapping[str, np.ndarray]:
        total = mechanism.whole(torch.from_numpy(present.astype(np.float64)[:, None]))
        count = charged + fault.extra
        found = {f"release {i}": mechanism.release(total).numpy() for i in range(count)}
        return found | ({"counts": present.astype(np.int64)} if fault.counts else {})

    return Claim(epsilon=epsilon, delta=DELTA, mu=math.sqrt(charged) / sigma), answer
