"""The example distiller works, and the documentation shows it as it is."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from fdd_flower.config import DistillerConfig
from fdd_flower.distillers.base import DISTILLERS
from tests.conftest import blobs, plan_for

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "extending.md"
EXAMPLE = ROOT / "examples" / "my_distiller.py"
NAME = "my_distiller:GroupMeans"


@pytest.fixture(autouse=True)
def _on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE.parent))
    importlib.invalidate_caches()


def test_the_documentation_shows_the_file_whole():
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert blocks == [EXAMPLE.read_text()]
    assert len(blocks[0].splitlines()) <= 30
    assert f"distiller.name={NAME}" in PAGE.read_text()


def test_it_sends_means_of_groups_that_together_are_the_class():
    data = blobs(counts=(60, 40, 3))
    distiller = DISTILLERS.get(NAME)(DistillerConfig(name=NAME, ipc=4))
    rng = torch.Generator().manual_seed(1)
    distilled = distiller.distill(data, plan=plan_for(data), start=None, rng=rng)
    part = distilled.synthetic

    assert torch.bincount(part.labels, minlength=3).tolist() == [4, 4, 0]
    assert distilled.withheld == ("c",)
    # 60 and 40 split evenly into four, so the mean of the means is the mean of the class.
    for label in (0, 1):
        records = data.inputs.numpy()[data.labels.numpy() == label]
        rows = part.inputs.numpy()[part.labels.numpy() == label]
        np.testing.assert_allclose(rows.mean(axis=0), records.mean(axis=0), atol=1e-5)
        assert float(part.weights[part.labels == label].sum()) == len(records)
        # no row is a record: each is the mean of at least ten
        nearest = np.abs(rows[:, None] - records[None]).max(axis=(2, 3, 4)).min()
        assert nearest > 0.05
