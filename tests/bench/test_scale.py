"""benchmarks/scale.py compares two that do the same work, or says that they do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


def test_the_first_round_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    import scale  # type: ignore[import-not-found]

    assert scale.seconds_a_round({1: 100.0, 2: 103.0, 3: 104.0}) == 2.0
    assert scale.seconds_a_round({1: 100.0, 4: 106.0}) == 2.0  # two were over between two looks
    with pytest.raises(SystemExit, match="too short"):
        scale.seconds_a_round({3: 100.0})


def test_runs_that_did_not_learn_the_same_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    import scale  # type: ignore[import-not-found]

    one = scale.Row("fdd", "in-process", 10, 1.0, 1.0, 1.0, 0.77)
    scale.check_same(one, replace(one, app="bare", accuracy=0.76))
    with pytest.raises(SystemExit, match=r"0\.770 by fdd, 0\.130 by bare"):
        scale.check_same(one, replace(one, app="bare", accuracy=0.13))
