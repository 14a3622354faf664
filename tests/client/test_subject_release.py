"""A client whose unit of privacy is a subject: which records are in what it sends."""

from pathlib import Path

import numpy as np
import pytest
import torch
from flwr.app import ArrayRecord, Context, RecordDict

from fdd_flower.client.release import RELEASE, send_release
from fdd_flower.client.side import ClientSide
from fdd_flower.config import Scalar, from_run_config
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import Plan
from fdd_flower.privacy import budget
from fdd_flower.schema import Normalisation

PLAN = Plan(
    round=1,
    seed=0,
    nonce="0",
    classes=("a", "b"),
    feature_shape=(1, 8, 8),
    normalisation=Normalisation(mean=(0.5,), std=(0.3,)),
)
RUN: dict[str, Scalar] = {
    "privacy.mode": "dp-moments",
    "privacy.sigma": 0.1,  # so little that one record shows
    "data.subject": "person",
}
SUBJECTS = torch.tensor([5, 5, 2, 5, 2, 9])


@pytest.fixture(autouse=True)
def _no_accounting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "epsilon_of", lambda *_: 0.0)  # it takes seconds, and is not asked


def sent(folder: Path, inputs: torch.Tensor, subjects: torch.Tensor | None, **run: Scalar) -> bytes:
    """Return the release of these records, without noise."""
    labels = torch.arange(len(inputs)) % 2
    data = Split(inputs=inputs, labels=labels, classes=PLAN.classes, subjects=subjects)
    node: dict[str, Scalar] = {"privacy.folder": str(folder), "privacy.max-epsilon": 1e4}
    side = ClientSide(
        cfg=from_run_config(RUN | run),
        plan=PLAN,
        load=lambda: data,
        client="ward",
        context=Context(1, 1, node, RecordDict(), {}),
        arrays=ArrayRecord(),
    )
    arrays, _ = send_release(side, noise=lambda count, sigma: np.zeros(count, dtype=np.int64))
    return arrays[RELEASE].data


def test_records_beyond_a_subjects_first_ones_have_no_part(tmp_path: Path) -> None:
    inputs = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    first = sent(tmp_path / "0", inputs, SUBJECTS, **{"privacy.records-per-subject": 2})
    for place in range(6):
        other = inputs.clone()
        other[place] = 3.0
        now = sent(tmp_path / f"{place + 1}", other, SUBJECTS, **{"privacy.records-per-subject": 2})
        assert (now == first) is (place == 3)  # the third record of subject 5


def test_with_one_record_a_subject_it_is_the_release_of_their_first_ones(tmp_path: Path) -> None:
    inputs = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    found = sent(tmp_path / "a", inputs, SUBJECTS)
    blank = inputs.clone()
    blank[[1, 3, 4]] = torch.nan  # the others: a record that is not finite counts for nothing
    assert found == sent(tmp_path / "b", blank, None, **{"data.subject": ""})
