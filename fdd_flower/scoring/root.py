"""The server's root records: which they are, and a ridge model of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor

from fdd_flower.config import Config
from fdd_flower.data import evaluation_split
from fdd_flower.data.base import Dataset, Split
from fdd_flower.device import wide
from fdd_flower.errors import DataError
from fdd_flower.rng import derive, stream
from fdd_flower.training.ridge import Gram, penalty, solve_gram
from fdd_flower.training.ridge_features import Features, draw_features
from fdd_flower.wording import many

ROOT_PER_CLASS = 10  # as in benchmarks/results/trust.md
WIDTH = 16  # 256 features and a constant: a solve takes milliseconds


def server_records(cfg: Config, dataset: Dataset) -> tuple[Split, Split | None]:
    """Return the records to measure accuracy on and, if sets are scored, those to score by.

    Both come from the server's test records, and none is in both.

    Raises
    ------
    DataError
        If there are too few to score by.
    """
    test = evaluation_split(dataset, cfg.partition, seed=cfg.seed)
    if cfg.scoring.mode == "off":
        return test, None
    root, rest = hold_out_root(test, per_class=ROOT_PER_CLASS, seed=cfg.seed)
    return rest, root


def hold_out_root(test: Split, *, per_class: int, seed: int) -> tuple[Split, Split]:
    """Return the root records and the records that are left to measure accuracy on.

    `per_class` of each class, but at most half of what there is: a class of one record, or none,
    has no root record. No record is in both, so that the accuracy that a run reports is measured
    on records that chose no set. Drawn from a stream of `seed`.

    Raises
    ------
    DataError
        If no class has two records.
    """
    rng, chosen = stream(seed, "scoring", "root"), torch.zeros(len(test), dtype=torch.bool)
    for label in range(len(test.classes)):
        held = (test.labels == label).nonzero()[:, 0]
        order = torch.randperm(len(held), generator=rng)
        chosen[held[order[: min(per_class, len(held) // 2)]]] = True
    if not chosen.any():
        raise DataError(
            "the server's test records, for scoring.mode",
            expected="two records of a class or more",
            got=f"{many(len(test), 'record')}, at most one per class",
            remedy="Give the server more records, or set scoring.mode to off.",
        )
    return test.take(chosen), test.take(~chosen)


@dataclass(frozen=True, slots=True)
class Root:
    """Root records in random features, and ridge regression on them.

    Attributes
    ----------
    phi
        The features, drawn from the run's seed.
    features, targets
        (m, d) and one-hot (m, k), float64.
    coefficients
        (d, k), float64, of ridge regression on all root records.
    recall
        (k,), float64: how often the same model, fitted without a record, gives the record's
        class; (hits + 1) / (records + 2), so that ten of ten are no certainty. nan: no record.
    """

    phi: Features
    features: Tensor
    targets: Tensor
    coefficients: Tensor
    recall: Tensor

    @classmethod
    def of(cls, split: Split, *, seed: int) -> Root:
        """Embed root records and fit the model; `seed` draws the features."""
        seed, device = derive(seed, "scoring", "phi"), split.inputs.device
        phi = draw_features(split.feature_shape, width=WIDTH, seed=seed, device=device)
        f, y = wide(phi(split.inputs)), wide(F.one_hot(split.labels, len(split.classes)))
        sums = Gram.of(f, y)
        coefficients = solve_gram(sums, len(f))
        left_out = leave_one_record_out(f, y, sums, coefficients).argmax(dim=1) == split.labels
        held = y.sum(dim=0)
        hits = (y * left_out[:, None]).sum(dim=0)
        recall = torch.where(held > 0, (hits + 1) / (held + 2), torch.nan)
        return cls(phi, f, y, coefficients, recall)


def leave_one_record_out(f: Tensor, y: Tensor, sums: Gram, coefficients: Tensor) -> Tensor:
    """Return what ridge regression says of each record when fitted to the others: (m, k).

    By y - (y - f c) / (1 - h), h being the leverages at the penalty of all records
    (Allen 1974, https://doi.org/10.1080/00401706.1974.10489157).
    """
    shift = penalty(sums.features.trace(), len(f), f.shape[1])
    shifted = sums.features + shift * torch.eye(f.shape[1], dtype=f.dtype, device=f.device)
    leverage = (f * torch.linalg.solve(shifted, f.T).T).sum(dim=1, keepdim=True)
    return y - (y - f @ coefficients) / (1 - leverage)
