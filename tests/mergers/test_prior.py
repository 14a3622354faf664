"""The schema's prior sets the weight of each class; rows of a class keep their ratios."""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from fdd_flower.mergers.prior import under_prior
from fdd_flower.synthetic_set import SyntheticSet


def merged(labels: list[int], weights: list[float]) -> SyntheticSet:
    return SyntheticSet(
        inputs=torch.arange(2.0 * len(labels)).view(-1, 2),
        targets=torch.eye(3)[labels],
        weights=torch.tensor(weights),
        origin=torch.zeros(len(labels), dtype=torch.int32),
    )


def test_without_a_prior_the_set_is_the_one_that_came() -> None:
    part = merged([0, 1], [3.0, 5.0])
    assert under_prior(part, ()) is part


def test_classes_weigh_what_the_prior_says_and_rows_keep_their_ratios() -> None:
    part = merged([1, 0, 1, 0, 2], [1.0, 2.0, 3.0, 6.0, 50.0])
    found = under_prior(part, (0.7, 0.2, 0.1))
    shares = np.bincount(part.labels, found.weights.numpy()) / float(found.weights.sum())
    np.testing.assert_allclose(shares, (0.7, 0.2, 0.1), rtol=1e-6)
    np.testing.assert_allclose(float(found.weights.mean()), 1, rtol=1e-6)
    np.testing.assert_allclose(found.weights[[2, 3]] / found.weights[[0, 1]], 3, rtol=1e-6)
    assert found.origin is part.origin


def test_the_share_of_a_class_without_a_row_goes_to_the_others() -> None:
    found = under_prior(merged([0, 0, 1], [1.0, 1.0, 1.0]), (0.6, 0.2, 0.2)).weights
    torch.testing.assert_close(found, torch.tensor([1.125, 1.125, 0.75]))


def test_a_model_of_such_weights_says_how_frequent_a_class_is() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 500)
    x = rng.normal(labels[:, None], 1.5, (1000, 2))
    part = SyntheticSet(
        inputs=torch.from_numpy(x).float(),
        targets=torch.eye(2)[labels],
        weights=torch.ones(1000),
    )
    found = under_prior(part, (0.9, 0.1))
    model = LogisticRegression().fit(x, labels, sample_weight=found.weights.numpy())
    held = np.repeat([0, 1], [9000, 1000])
    said = model.predict_proba(rng.normal(held[:, None], 1.5, (10000, 2)))[:, 1]
    assert abs(said.mean() - 0.1) < 0.01
