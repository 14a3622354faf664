"""Root records: apart from those that accuracy is measured on; their model against refits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fdd_flower.errors import DataError
from fdd_flower.scoring import Root, hold_out_root
from fdd_flower.scoring.root import leave_one_record_out
from fdd_flower.training.ridge import Gram, penalty
from tests.conftest import blobs
from tests.scoring.scene import ROOT, TEST, only


def rows(split) -> set[bytes]:
    return {record.numpy().tobytes() for record in split.inputs}


def test_no_record_is_both_and_none_is_lost() -> None:
    root, rest = hold_out_root(TEST, per_class=10, seed=0)
    assert rows(root) | rows(rest) == rows(TEST)
    assert not rows(root) & rows(rest)
    assert root.labels.bincount().tolist() == [10] * 4


def test_at_most_half_of_a_class() -> None:
    few = blobs(counts=(60, 5, 1))
    root, rest = hold_out_root(few, per_class=10, seed=0)
    assert root.labels.bincount(minlength=3).tolist() == [10, 2, 0]
    assert rest.labels.bincount(minlength=3).tolist() == [50, 3, 1]


def test_the_seed_alone_decides() -> None:
    first, again, other = (rows(hold_out_root(TEST, per_class=5, seed=s)[0]) for s in (1, 1, 2))
    assert first == again != other


def test_a_server_without_records_is_told_so() -> None:
    with pytest.raises(DataError, match=r"scoring\.mode: expected two records of a class"):
        hold_out_root(blobs(counts=(1, 1, 1)), per_class=10, seed=0)


def test_leaving_a_record_out_is_to_fit_again_without_it() -> None:
    f, y = ROOT.features, ROOT.targets
    found = leave_one_record_out(f, y, Gram(f.T @ f, f.T @ y), ROOT.coefficients)
    # the penalty is that of all records
    shift = float(penalty((f**2).sum(), len(f), f.shape[1])) * np.eye(f.shape[1])
    for out in range(0, len(f), 7):
        kept = np.arange(len(f)) != out
        a, b = f.numpy()[kept], y.numpy()[kept]
        c = np.linalg.solve(a.T @ a + shift, a.T @ b)
        assert np.allclose(found[out].numpy(), f[out].numpy() @ c, atol=1e-8)


def test_a_class_without_records_has_no_recall() -> None:
    root = Root.of(only(TEST, 0, 2), seed=0)
    assert torch.isnan(root.recall).tolist() == [False, True, False, True]
    assert 0 < float(root.recall[0]) < 1
