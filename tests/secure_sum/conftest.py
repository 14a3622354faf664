"""What the tests of a secure sum share."""

from __future__ import annotations

import pytest

from fdd_flower.sketches.gram import GramSums


@pytest.fixture(autouse=True)
def _exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let plain sketches travel as masked ones do, so that their sums are the same."""
    monkeypatch.setattr(GramSums, "exact", True)
