"""When a set is kept aside; that honest ones are not; and that nothing but the sets decides."""

from __future__ import annotations

import pytest
import scipy.stats
import torch

from fdd_flower.scoring import score_sets
from fdd_flower.scoring.base import Finding
from fdd_flower.scoring.verdict import both, reason
from tests.attacks.poison import flip_labels
from tests.scoring.scene import ROOT, client, clients

FINE = Finding(0.5)


SIGNALS = ("utility", "labels", "outlier", "copies", "redundant")


def why(**signals: str) -> str:
    return of({name: Finding(0.5, True, text) for name, text in signals.items()})


def of(found: dict[str, Finding]) -> str:
    return reason(**(dict.fromkeys(SIGNALS, FINE) | found))


def test_signals_must_agree() -> None:
    assert why() == why(utility="u") == why(outlier="o") == why(utility="u", outlier="o") == ""
    assert why(labels="l") == ""
    assert why(labels="l", utility="u") == "l; u"
    assert why(labels="l", outlier="o") == "l; o"
    assert why(labels="l", utility="u", outlier="o") == "l; u; o"
    assert why(copies="c") == why(redundant="r") == why(copies="c", utility="u", outlier="o") == ""
    assert why(copies="c", redundant="r") == why(copies="c", redundant="r", labels="l") == "c, r"


def test_of_few_rows_labels_and_outlier_count_together() -> None:
    far = Finding(9.0, True, "far", 0.012)
    doubtful, fine = Finding(0.5, False, "half", 0.3), Finding(1.0, False, "", 1.0)
    assert of({"labels": doubtful, "outlier": far}) == "half; far: together a chance of 0.024"
    assert of({"labels": fine, "outlier": far}) == ""  # far alone is no fault
    assert of({"labels": doubtful, "outlier": Finding(3.0, False, "near", 0.1)}) == ""
    assert of({"labels": Finding(0.6, False, "most", 0.9), "outlier": far}) == ""


def test_two_chances_are_combined_as_by_fisher() -> None:
    for p, q in ((0.3, 0.012), (0.5, 0.5), (1.0, 1.0), (1e-9, 0.7)):
        expected = scipy.stats.combine_pvalues([p, q], method="fisher")[1]
        assert both(p, q) == pytest.approx(expected, rel=1e-9)
    assert both(0.0, 0.5) == 0.0


def scored(parts, earlier=None):
    return score_sets(parts, root=ROOT, earlier=earlier or {}, seed=5)


def test_honest_clients_of_one_class_each_stay() -> None:
    parts = {str(seed): client(seed, held=(seed % 4,), rows=8) for seed in range(8)}
    assert not any(score.reason for score in scored(parts).values())
    # and one that alone differs from the others
    odd = {str(seed): client(seed, held=(0, 1, 2)) for seed in range(6)} | {"9": client(9, (3,))}
    assert not any(score.reason for score in scored(odd).values())


def test_wrong_labels_go() -> None:
    parts = clients(5) | {"7": flip_labels(client(7), torch.Generator())}
    found = scored(parts)
    assert [name for name, score in found.items() if score.reason] == ["7"]
    assert "labels agree" in found["7"].reason
    assert "utility" in found["7"].reason


def test_a_round_of_one_client_is_scored() -> None:
    found = scored({"0": client(0)})
    assert (found["0"].utility or 0) > 0.5
    assert found["0"].reason == ""


def test_the_same_sets_score_the_same() -> None:
    parts, earlier = clients(5), {"1": client(1), "7": client(7)}
    assert scored(parts, earlier) == scored(dict(parts), dict(reversed(earlier.items())))
