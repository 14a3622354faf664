"""Sums are solved for who is in them, and the regression that a Gram gives tells too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fdd_flower.audit.metrics import auc
from fdd_flower.audit.protocol import Canaries, Known
from fdd_flower.audit.released.private import PrivateSum
from fdd_flower.audit.released.sketch import GramSketch
from fdd_flower.audit.sums.regression import RIDGE, regression_scores
from fdd_flower.audit.sums.solve import solved
from fdd_flower.training.ridge import Gram
from tests.audit.test_attacks import rounded_noise


def test_coins_are_told_by_their_likelihood_ratios():
    rng = np.random.default_rng(0)
    effects, noise = rng.normal(0, 1, (6, 9)), 2.0
    left = (rng.integers(0, 2, 6) - 0.5) @ effects + rng.normal(0, noise, 9)
    found = solved(torch.tensor(left), torch.tensor(effects), noise=noise).numpy()
    for i in range(6):
        # the error and the other coins, as Gaussians
        others = np.delete(effects, i, axis=0)
        covariance = noise**2 * np.eye(9) + others.T @ others / 4
        expected = effects[i] @ np.linalg.solve(covariance, left)
        assert found[i] / found[0] == pytest.approx(
            expected
            / (
                effects[0]
                @ np.linalg.solve(noise**2 * np.eye(9) + effects[1:].T @ effects[1:] / 4, left)
            )
        )


def test_exact_sums_of_more_numbers_than_candidates_are_solved():
    rng = np.random.default_rng(1)
    effects, coins = rng.normal(0, 1, (40, 60)), rng.random(40) < 0.5
    left = torch.tensor((coins - 0.5) @ effects)
    assert auc(solved(left, torch.tensor(effects)).numpy(), coins) == 1


def test_residuals_and_leverages_are_those_of_the_hat_matrix():
    rng = np.random.default_rng(2)
    inside, outside, reference = (rng.normal(0, 1, (n, 5)) for n in (30, 20, 40))
    labels = [rng.integers(0, 3, n) for n in (30, 20, 40)]
    held = Gram.of(torch.tensor(inside), torch.eye(3).double()[labels[0]])
    own = (torch.tensor(outside), torch.tensor(labels[1]))
    usual = (torch.tensor(reference), torch.tensor(labels[2]))
    found = regression_scores(held, own, usual, count=30, noise=0.5)

    def fit(x: np.ndarray, y: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
        gram = share * x.T @ x
        inverse = np.linalg.inv(gram + (RIDGE * np.trace(gram) / 5 + 2 * 0.5) * np.eye(5))
        coefficients = inverse @ (share * x.T @ np.eye(3)[y])
        apart = np.eye(3)[labels[1]] - outside @ coefficients
        return np.square(apart).sum(1), np.einsum("ni,ij,nj->n", outside, inverse, outside)

    (residual, leverage), (own_residual, own_leverage) = (
        fit(reference, labels[2], 30 / 40),
        fit(inside, labels[0], 1.0),
    )
    assert found["ridge"].numpy() == pytest.approx(residual - own_residual, rel=1e-5, abs=1e-6)
    assert found["leverage"].numpy() == pytest.approx(np.log(leverage / own_leverage), rel=1e-4)


def test_a_gram_of_more_features_than_records_shows_who_is_in_it(small: tuple[Canaries, Known]):
    drawn, known = small
    found = {}
    for width in (1, 32):
        cfg = replace(known.cfg, sketch=replace(known.cfg.sketch, width=width))
        fresh = replace(known, _kept={})
        release = GramSketch(drawn.members, fresh, cfg)
        assert len(release.observed()) == len(drawn.records.classes)
        found[width] = auc(release.scores(drawn.records)["leverage"].numpy(), drawn.member)
    assert found[32] > 0.99 > 0.75 > found[1]


@pytest.mark.parametrize("mode", ["dp-moments", "dp-sketch"])
def test_noise_hides_who_is_in_products(small: tuple[Canaries, Known], mode: str):
    drawn, known = small
    cfg = replace(
        known.cfg,
        privacy=replace(known.cfg.privacy, mode=mode),
        sketch=replace(known.cfg.sketch, width=8),
    )
    aucs = []
    for sigma in (1e-3, 100.0):
        release = PrivateSum(drawn.members, known, cfg, sigma, seed=0, noise=rounded_noise)
        score = release.scores(drawn.records, learned=False)["sum-leverage"].numpy()
        aucs.append(auc(score, drawn.member))
    assert aucs[0] > 0.6
    assert abs(aucs[1] - 0.5) < 0.1
