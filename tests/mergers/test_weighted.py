"""Claims between classes count, and no single one counts too much."""

import torch

from fdd_flower.config import MergerConfig
from fdd_flower.mergers.weighted import Weighted
from fdd_flower.synthetic_set import SyntheticSet
from tests.mergers.test_mergers_contract import stream


def merged(claims: list[float], labels: list[int]) -> torch.Tensor:
    part = SyntheticSet(
        inputs=torch.zeros(len(labels), 2),
        targets=torch.eye(2)[labels],
        weights=torch.tensor(claims, dtype=torch.float32),
    )
    return Weighted(MergerConfig(name="weighted")).merge([part], rng=stream()).weights


def test_classes_keep_the_shares_that_are_claimed() -> None:
    weights = merged([10, 20, 300, 300], [0, 0, 1, 1])
    torch.testing.assert_close(weights * 157.5, torch.tensor([10.0, 20, 300, 300]))


def test_a_lie_is_worth_ten_rows_of_its_class() -> None:
    weights = merged([10] * 5 + [1e30, 50.0], [0] * 6 + [1])
    torch.testing.assert_close(weights[5] / weights[0], torch.tensor(10.0))
    torch.testing.assert_close(weights[6] / weights[0], torch.tensor(5.0))
