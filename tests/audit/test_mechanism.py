"""The audit audits itself: broken mechanisms are found, correct ones are not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from fdd_flower.audit.mechanism import Claim, audit_mechanism, told_by
from fdd_flower.audit.self_check import CORRECT, FAULTS, Fault, faulty, self_check
from fdd_flower.privacy.noise import Noise

CLASSES = 20_000


def _noise(seed: int) -> Noise:
    """Return Gaussian noise from a seed, rounded: thousands of times faster than the exact one."""
    rng = np.random.default_rng(seed)

    def draw(count: int, sigma: float) -> np.ndarray:
        return np.rint(rng.normal(0, sigma, count)).astype(np.int64)

    return draw


def _found(fault: Fault, epsilon: float, audits: int, *, charged: int = 1) -> int:
    """Return how many of so many seeded audits call the mechanism broken."""
    found = 0
    for seed in range(audits):
        claim, answer = faulty(fault, epsilon, charged=charged, noise=_noise(1000 + seed))
        found += audit_mechanism(answer, claim, classes=CLASSES, seed=seed).broken
    return found


@pytest.mark.parametrize("epsilon", [1.0, 10.0])
@pytest.mark.parametrize("charged", [1, 4])
def test_a_correct_mechanism_passes_19_of_20_audits(epsilon, charged):
    assert _found(Fault(), epsilon, 20, charged=charged) <= 1


@pytest.mark.parametrize("epsilon", [1.0, 10.0])
@pytest.mark.parametrize("name", [name for name in FAULTS if name != CORRECT])
def test_a_broken_mechanism_is_found_in_9_of_10(epsilon, name):
    assert _found(FAULTS[name], epsilon, 10) >= 9


def test_one_release_in_five_too_many_is_found_at_epsilon_10():
    # at epsilon 1, 20,000 canaries do not see so little
    assert _found(Fault(extra=1), 10.0, 10, charged=4) >= 9


def test_without_a_gaussian_claim_the_bound_is_free_of_distributions():
    found = {False: 0, True: 0}
    for seed in range(10):
        for wrong in found:
            fault = Fault(noise=0.1) if wrong else Fault()
            claim, answer = faulty(fault, 1.0, noise=_noise(seed))
            plain = Claim(epsilon=claim.epsilon, delta=claim.delta)
            found[wrong] += audit_mechanism(answer, plain, classes=CLASSES, seed=seed).broken
    assert found[False] == 0
    assert found[True] >= 9


def test_what_is_told_of_all_classes_together_is_found_too():
    claim, honest = faulty(Fault(), 1.0, noise=_noise(5))

    def telling(present: np.ndarray) -> Mapping[str, np.ndarray]:
        return {**honest(present), "records": np.array(present.sum())}

    assert audit_mechanism(telling, claim, classes=1, calls=400, seed=0).broken
    assert not audit_mechanism(honest, claim, classes=1, calls=400, seed=0).broken


def test_the_bound_comes_near_the_truth():
    claim, answer = faulty(Fault(), 1.0, charged=4, noise=_noise(0))
    found = audit_mechanism(answer, claim, classes=200_000, seed=0)
    assert 0.85 < found.epsilon <= 1
    assert not found.broken


def test_the_mechanism_as_it_is_deployed_passes():
    checks = {check.fault: check.found for check in self_check(10.0, seed=0)}
    assert {name for name, found in checks.items() if not found.broken} == {CORRECT}


def test_weights_are_fishers_where_columns_tell():
    rng = np.random.default_rng(0)
    coin = rng.random(5000) < 0.5
    table = rng.normal(0, [1.0, 2.0, 1.0], (5000, 3)) + coin[:, None] * [1.0, 1.0, 0.0]
    weights = told_by(table, coin)
    assert weights[2] == 0
    assert weights[0] / weights[1] == pytest.approx(4, rel=0.2)
