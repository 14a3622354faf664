"""What the modes beside `dp-moments` send, against what they claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from fdd_flower.audit.mechanism import Answer, Claim, audit_mechanism
from fdd_flower.config import Config, from_run_config
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import Plan
from fdd_flower.releases.base import Release, release_of
from fdd_flower.releases.coding import coarse, shift_of
from fdd_flower.releases.terms import spend_of
from fdd_flower.schema import Normalisation

MODES = ("dp-dm", "dp-gm", "dp-sketch")
EPSILON = 10.0  # a few hundred trials show most of it
CALLS = 100  # where a reply is one trial
LONGEST = 1e4  # a record of one number: features that are clipped have the largest norm there is


def config(mode: str) -> Config:
    small = {"distiller.networks": 1, "distiller.width": 8, "sketch.width": 1}
    cfg = from_run_config(small)
    return replace(
        cfg, privacy=replace(cfg.privacy, mode=mode, epsilon=EPSILON), num_server_rounds=1
    )


def release_for(mode: str, classes: int) -> Release:
    plan = Plan(
        round=1,
        seed=7,
        nonce="0123456789abcdef",
        classes=tuple(str(label) for label in range(classes)),
        feature_shape=(1,),
        normalisation=Normalisation(mean=(0.0,), std=(1.0,)),
    )
    return release_of(config(mode), plan)


def classes_of(mode: str) -> int:
    """Return how many trials a reply has: products are of all classes together, and so is noise."""
    return 1 if mode == "dp-sketch" else 300


def canary_of(release: Release) -> Tensor:
    """Return what the canary adds, int64 (block + shared,)."""
    return release.each(torch.full((1, 1), LONGEST), 1)[0]


def placed(release: Release, canary: Tensor, present: np.ndarray) -> Tensor:
    """Return the sum over one canary in each class that is present."""
    there = torch.from_numpy(present.astype(np.int64))
    blocks = there[:, None] * canary[: release.block]
    return torch.cat([blocks.flatten(), there.sum() * canary[release.block :]])


def client(mode: str, *, seed: int, noise: float = 1.0, draws: int = 1) -> Answer:
    """Return a client that adds so much of the noise that is charged, and answers `draws` times.

    The noise has a seed and is rounded: thousands of times faster than the exact one.
    """
    release, rng = release_for(mode, classes_of(mode)), np.random.default_rng(seed)
    sigma, canary = spend_of(config(mode)).sigma, canary_of(release)
    shift = shift_of(sigma, release.unit, release.spread)
    spread = release.spread.expand(release.size)[-len(canary) :]  # of the last class and the shared
    weights = canary / spread.square()  # no others tell more
    own, shared = weights[: release.block], weights[release.block :]

    def draw(count: int, sigma: float) -> np.ndarray:
        return np.rint(rng.normal(0, noise * sigma, count)).astype(np.int64)

    def reply(total: Tensor) -> np.ndarray:
        values = coarse(release.noisy(total, sigma, draw), shift).double()
        told = release.blocks(values) @ own
        return (told + values[release.classes * release.block :] @ shared).numpy()

    def answer(present: np.ndarray) -> Mapping[str, np.ndarray]:
        total = placed(release, canary, present)
        return {str(number): reply(total) for number in range(draws)}

    return answer


def found(mode: str, audits: int, *, noise: float = 1.0, draws: int = 1) -> tuple[int, float]:
    """Return how many audits call the client broken, and the largest bound that they found."""
    privacy = config(mode).privacy
    claim = Claim(epsilon=EPSILON, delta=privacy.delta, mu=1 / spend_of(config(mode)).sigma)
    classes = classes_of(mode)
    all_ = [
        audit_mechanism(
            client(mode, seed=seed, noise=noise, draws=draws),
            claim,
            classes=classes,
            calls=2 if classes > 1 else CALLS,
            seed=seed,
        )
        for seed in range(audits)
    ]
    return sum(one.broken for one in all_), max(one.epsilon for one in all_)


@pytest.mark.parametrize("mode", MODES)
def test_the_sum_that_is_audited_is_that_of_records_and_of_the_largest_norm(mode: str) -> None:
    release = release_for(mode, 3)
    canary = canary_of(release)
    labels = torch.tensor([0, 2])
    data = Split(inputs=torch.full((2, 1), LONGEST), labels=labels, classes=release.plan.classes)
    assert torch.equal(release.sum(data), placed(release, canary, np.array([True, False, True])))
    spread = release.spread.expand(release.size)[-len(canary) :]
    assert float((canary / release.unit / spread).norm()) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("mode", MODES)
def test_replies_keep_their_claim_in_19_of_20_audits(mode: str) -> None:
    broken, bound = found(mode, 20)
    assert broken <= 1
    assert bound > EPSILON / 2  # the audit sees most of what there is to see


@pytest.mark.parametrize(
    ("mode", "noise", "draws"),
    [*((mode, 0.1, 1) for mode in MODES), ("dp-dm", 1.0, 4), ("dp-gm", 1.0, 4)],
)
def test_little_noise_and_noise_drawn_anew_are_found_in_9_of_10(
    mode: str, noise: float, draws: int
) -> None:
    assert found(mode, 10, noise=noise, draws=draws)[0] >= 9
