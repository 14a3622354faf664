"""Label agreement, outliers and copies, each against an oracle of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import scipy.stats
import torch

from fdd_flower.scoring import Root
from fdd_flower.scoring.duplicates import duplicates, quantile
from fdd_flower.scoring.labels import label_agreement, lower_tail
from fdd_flower.scoring.outliers import outliers, robust_scores
from fdd_flower.scoring.redundancy import redundancy
from fdd_flower.synthetic_set import SyntheticSet
from tests.attacks.poison import flip_labels, near_copy, noise
from tests.scoring.scene import ROOT, TEST, client, clients, evidence, only

RNG = torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("n", "hits"), [(1, 0), (1, 1), (10, 4), (500, 430)])
def test_the_lower_tail_is_that_of_the_binomial(n: int, hits: int) -> None:
    agrees = torch.arange(n) < hits
    assert lower_tail(agrees, 0.9) == pytest.approx(scipy.stats.binom.cdf(hits, n, 0.9), rel=1e-9)


def test_labels_that_were_flipped_show_and_honest_ones_agree() -> None:
    parts = clients(4) | {"9": flip_labels(client(9), RNG)}
    found = label_agreement(evidence(parts))
    assert found["9"].value == pytest.approx(0, abs=0.1)
    assert [name for name, finding in found.items() if finding.suspect] == ["9"]
    assert "0% of its labels agree" in found["9"].why


def test_one_bad_class_among_good_ones_shows() -> None:
    good = client(0, rows=20)
    targets = good.targets.clone()
    targets[10:20] = torch.eye(4)[1]  # of 80 rows, ten
    bad = replace(good, targets=targets)
    found = label_agreement(evidence({"0": client(1), "9": bad}))
    assert found["9"].value == pytest.approx(70 / 80, abs=0.02)
    assert found["9"].suspect


def test_the_chance_counts_every_test_that_was_made() -> None:
    part = client(0, rows=20)
    given = part.labels.clone()
    given[:6] = 3
    told = replace(part, targets=torch.eye(4)[given])
    recall, agrees = ROOT.recall.double(), given == part.labels
    # the root model is right about the rows themselves
    assert label_agreement(evidence({"9": told}))["9"].value == float(agrees.double().mean())

    def tail(rows: torch.Tensor, share: float) -> float:
        return float(scipy.stats.binom.cdf(int(agrees[rows].sum()), int(rows.sum()), share))

    classes = [tail(given == label, float(recall[label])) for label in range(4)]
    whole = tail(torch.ones(80, dtype=torch.bool), float(recall[given].mean()))
    chance = label_agreement(evidence({"9": told}))["9"].chance
    assert 0 < chance < 1
    assert chance == pytest.approx(2 * min(whole, 4 * min(classes)), rel=1e-6)


def test_a_class_without_root_records_is_not_scored() -> None:
    root = Root.of(only(TEST, 0, 1), seed=0)
    parts = {"0": client(0, held=(0, 1)), "1": client(1, held=(2, 3)), "2": client(2)}
    found = evidence(parts, root=root)
    assert label_agreement(found)["1"].value is None
    assert label_agreement(found)["2"].value == 1.0
    assert outliers(found)["1"].value is None
    assert duplicates(found)["1"].value == 0.0


def test_robust_scores_are_those_of_scipy() -> None:
    values = torch.tensor([1.0, 2.0, 3.0, 4.0, 50.0])
    sigma = scipy.stats.median_abs_deviation(values.numpy()) / scipy.stats.norm.ppf(0.75)
    expected = (values - 3.0) / sigma
    assert torch.allclose(robust_scores(values), expected.float(), atol=1e-3)
    assert robust_scores(torch.ones(3)).tolist() == [0, 0, 0]


def test_noise_is_an_outlier_even_where_it_is_a_class_of_its_own() -> None:
    parts = {str(seed): client(seed, held=(0, 1, 2)) for seed in range(4)}
    found = outliers(evidence(parts | {"9": noise(client(9, held=(3,)), RNG)}))
    assert [name for name, finding in found.items() if finding.suspect] == ["9"]


def test_near_copies_are_found_whoever_holds_the_majority() -> None:
    parts = clients(6)
    parts |= {name: near_copy(parts["0"], RNG) for name in ("3", "4", "5")}
    found = duplicates(evidence(parts))
    assert {name for name, finding in found.items() if finding.suspect} == {"3", "4", "5"}
    assert found["3"].why == "100% of its rows are near copies of client 0's"
    assert found["1"].value == 0.0


def test_the_owner_is_who_sent_it_before() -> None:
    old = client(7)
    parts = clients(4) | {"9": near_copy(old, RNG)}
    parts["0"] = near_copy(old, RNG)  # first in the order of merging
    found = duplicates(evidence(parts, earlier={"9": old, "0": client(0)}))
    assert [name for name, finding in found.items() if finding.suspect] == ["0"]


def test_a_set_of_a_client_that_is_silent_now_has_an_owner_too() -> None:
    old = client(7)
    parts = clients(4) | {"0": near_copy(old, RNG)}
    found = duplicates(evidence(parts, earlier={"7": old}))
    assert [name for name, finding in found.items() if finding.suspect] == ["0"]


def test_a_client_may_send_its_own_set_again() -> None:
    parts = clients(4)
    found = duplicates(evidence(parts, earlier=parts))
    assert all(finding.value == 0.0 and not finding.suspect for finding in found.values())


def test_a_copy_teaches_nothing_and_records_that_are_shared_in_part_do() -> None:
    parts = clients(4) | {"0": client(0, held=(0, 1))}
    own = client(8, held=(2, 3))
    parts["8"] = SyntheticSet(
        inputs=torch.cat([parts["0"].inputs, own.inputs]),
        targets=torch.cat([parts["0"].targets, own.targets]),
        weights=torch.ones(len(parts["0"]) + len(own)),
    )
    parts |= {"9": near_copy(parts["0"], RNG), "91": flip_labels(parts["8"], RNG)}
    found = evidence(parts)
    copies = duplicates(found)
    assert {name for name, finding in copies.items() if finding.suspect} == {"8", "9"}
    assert copies["9"].beside is found.parts["0"]
    beside = redundancy(found, copies)
    assert beside["9"].suspect
    assert beside["9"].value == pytest.approx(0, abs=0.002)
    assert not beside["8"].suspect
    assert (beside["8"].value or 0) > 0.02
    assert beside["1"].value is beside["91"].value is None


def test_means_of_many_records_are_no_copies() -> None:
    means = {str(seed): client(seed, rows=1) for seed in range(6)}
    centre = client(0, rows=400).inputs.view(4, 400, 1, 8, 8).mean(dim=1)
    # of thousands of records: much nearer to each other than records are
    alike = {
        name: replace(part, inputs=centre + 0.02 * torch.randn(part.inputs.shape, generator=RNG))
        for name, part in means.items()
    }
    assert not any(finding.suspect for finding in duplicates(evidence(alike)).values())


def test_records_of_few_values_are_no_copies() -> None:
    parts = {name: replace(p, inputs=torch.ones_like(p.inputs)) for name, p in clients(4).items()}
    assert not any(finding.value for finding in duplicates(evidence(parts)).values())


def test_quantile_of_a_few() -> None:
    assert quantile(torch.tensor([3.0, 1.0, 2.0]), 0.5) == 2.0
    assert quantile(torch.tensor([5.0]), 0.9) == 5.0
