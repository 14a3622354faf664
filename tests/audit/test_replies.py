"""A client's replies under a private mode, against what the run claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import ArrayRecord, Context, RecordDict

from fdd_flower.audit.mechanism import Answer, Claim, audit_mechanism
from fdd_flower.client.release import RELEASE, send_release
from fdd_flower.client.side import ClientSide
from fdd_flower.config import Config
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import Plan
from fdd_flower.privacy import accountant, budget
from fdd_flower.releases.coding import unpack
from fdd_flower.releases.dp_moments import Moments
from fdd_flower.releases.terms import spend_of
from fdd_flower.schema import Normalisation

CLASSES = 2_000  # pairs of neighbouring data sets in one reply
LONGEST = 1e4  # a record of one number: its features have the largest norm that there is


def config(epsilon: float) -> Config:
    base = Config()
    privacy = replace(base.privacy, mode="dp-moments", epsilon=epsilon)
    return replace(base, privacy=privacy, num_server_rounds=1)


def claim_of(cfg: Config) -> Claim:
    privacy = cfg.privacy
    return Claim(epsilon=privacy.epsilon, delta=privacy.delta, mu=1 / spend_of(cfg).sigma)


def client(cfg: Config, folder: Path, *, seed: int, noise: float = 1.0) -> Answer:
    """Return a client that adds so much of the noise that it is charged for.

    The noise has a seed and is rounded: thousands of times faster than the exact one.
    """
    rng, asked = np.random.default_rng(seed), iter(range(1_000_000))

    def draw(count: int, sigma: float) -> np.ndarray:
        return np.rint(rng.normal(0, noise * sigma, count)).astype(np.int64)

    def answer(present: np.ndarray) -> Mapping[str, np.ndarray]:
        plan = plan_for(f"{seed:08x}{next(asked):08x}")
        labels = torch.from_numpy(np.flatnonzero(present))
        data = Split(
            inputs=torch.full((len(labels), 1), LONGEST), labels=labels, classes=plan.classes
        )
        node: dict[str, Any] = {
            "privacy.folder": str(folder / plan.nonce),
            "privacy.max-epsilon": 1.01 * cfg.privacy.epsilon,
            "privacy.dataset": "canaries",
        }
        state = RecordDict()
        side = ClientSide(
            cfg=cfg,
            plan=plan,
            load=lambda: data,
            client="0",
            context=Context(run_id=1, node_id=1, node_config=node, state=state, run_config={}),
            arrays=ArrayRecord(),
        )
        arrays, metrics = send_release(side, noise=draw)
        assert not metrics
        assert list(arrays) == [RELEASE]
        release = Moments(cfg, plan)
        blocks = release.blocks(unpack(arrays[RELEASE].numpy(), release.size)).double()
        # the canary in the metric of the noise: no weights tell more
        canary = (
            release.each(torch.full((1, 1), LONGEST), 1)[0] / release.spread[: release.block] ** 2
        )
        return {RELEASE: (blocks @ canary).numpy()}

    return answer


def plan_for(nonce: str) -> Plan:
    return Plan(
        round=1,
        seed=7,
        nonce=nonce,
        classes=tuple(str(label) for label in range(CLASSES)),
        feature_shape=(1,),
        normalisation=Normalisation(mean=(0.0,), std=(1.0,)),
    )


def found(epsilon: float, folder: Path, audits: int, *, noise: float = 1.0) -> tuple[int, float]:
    """Return how many audits call the client broken, and the largest bound that they found."""
    cfg = config(epsilon)
    all_ = [
        audit_mechanism(
            client(cfg, folder, seed=seed, noise=noise), claim_of(cfg), classes=CLASSES, seed=seed
        )
        for seed in range(audits)
    ]
    return sum(one.broken for one in all_), max(one.epsilon for one in all_)


def quick_sum(self: Moments, data: Split, *, most: int = 1) -> torch.Tensor:
    """Return what `sum` does where all records are alike and no class has two."""
    total = torch.zeros(self.classes, self.block, dtype=torch.int64)
    total[data.labels] = self.each(data.inputs[:1], most)[0]
    return total.flatten()


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sum alike records at once, and work out once what a release costs."""
    found: dict[str, float] = {}

    def epsilon_of(*given: Any) -> float:
        if repr(given) not in found:
            found[repr(given)] = accountant.epsilon_of(*given)
        return found[repr(given)]

    monkeypatch.setattr(budget, "epsilon_of", epsilon_of)
    monkeypatch.setattr(Moments, "sum", quick_sum)


def test_the_quick_sum_is_the_sum() -> None:
    plan = plan_for("0123456789abcdef")
    labels = torch.arange(0, CLASSES, 7)
    data = Split(inputs=torch.full((len(labels), 1), LONGEST), labels=labels, classes=plan.classes)
    release = Moments(config(1.0), plan)
    assert torch.equal(release.sum(data), quick_sum(release, data))


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("epsilon", [1.0, 10.0])
def test_replies_keep_their_claim_in_19_of_20_audits(tmp_path: Path, epsilon: float) -> None:
    broken, bound = found(epsilon, tmp_path, 20)
    assert broken <= 1
    assert bound > epsilon / 2  # the audit sees most of what there is to see


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("epsilon", [1.0, 10.0])
def test_a_tenth_of_the_noise_is_found_in_9_of_10(tmp_path: Path, epsilon: float) -> None:
    assert found(epsilon, tmp_path, 10, noise=0.1)[0] >= 9
