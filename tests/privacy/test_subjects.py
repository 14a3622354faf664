import numpy as np
import pytest
import torch

from fdd_flower.config import from_run_config
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import Plan
from fdd_flower.privacy.mechanism import whole
from fdd_flower.privacy.subjects import kept
from fdd_flower.releases.base import RELEASES
from fdd_flower.schema import Normalisation


def test_the_first_records_of_each_subject_count():
    rng = np.random.default_rng(0)
    for most in (1, 2, 5):
        subjects = rng.integers(-3, 9, 60)
        seen, wanted = dict[int, int](), []
        for place, subject in enumerate(subjects.tolist()):
            seen[subject] = seen.get(subject, 0) + 1
            if seen[subject] <= most:
                wanted.append(place)
        assert kept(subjects, most).tolist() == wanted
    assert kept(np.zeros(0, dtype=np.int64), 3).tolist() == []


def test_a_subject_has_no_say_in_which_records_of_others_count():
    subjects = np.random.default_rng(1).integers(0, 8, 50)
    places = kept(subjects, 3)
    for gone in range(8):
        others = np.flatnonzero(subjects != gone)
        assert others[kept(subjects[others], 3)].tolist() == [
            place for place in places if subjects[place] != gone
        ]


@pytest.mark.parametrize("most", [1, 2, 7, 1_000])
@pytest.mark.parametrize("grid", [1_000, 2**12, 2**24])
def test_one_subject_moves_the_sum_by_at_most_the_grid(grid: int, most: int) -> None:
    rng = np.random.default_rng(most)
    for case in range(20):
        subjects = rng.permutation(np.repeat(np.arange(4), rng.integers(1, 2 * most + 2, 4)))
        vectors = rng.standard_normal((len(subjects), 3)) * rng.choice([1e-3, 1, 1e9])
        if case % 2:  # all alike: nothing cancels
            vectors[:] = vectors[0]
        vectors[0, 0] = rng.choice([0, np.nan, np.inf])
        labels = rng.integers(0, 2 if case % 4 else 1, len(subjects))

        def total(here: np.ndarray) -> list[int]:
            mine = here[kept(subjects[here], most)]  # noqa: B023 (called in this turn only)
            rows = whole(torch.from_numpy(vectors[mine]), grid, parts=most**2)  # noqa: B023
            found = [rows[labels[mine] == label].sum(dim=0) for label in (0, 1)]  # noqa: B023
            return torch.cat(found).tolist()

        everyone = total(np.arange(len(subjects)))
        for gone in range(4):
            rest = total(np.flatnonzero(subjects != gone))
            moved = [a - b for a, b in zip(everyone, rest, strict=True)]
            assert sum(step**2 for step in moved) <= grid**2  # Python's integers: no rounding


def test_the_bound_of_a_subject_is_nearly_reached() -> None:
    rows = whole(torch.full((5, 4), 1e9), 2**20, parts=25)
    assert rows.sum(dim=0).double().norm().item() == pytest.approx(2**20, rel=1e-4)


@pytest.mark.parametrize("mode", RELEASES.built_in())
def test_one_subject_moves_a_release_by_at_most_its_unit(mode: str) -> None:
    plan = Plan(
        round=1,
        seed=0,
        nonce="0",
        classes=("a", "b", "c"),
        feature_shape=(1, 8, 8),
        normalisation=Normalisation(mean=(0.5,), std=(0.3,)),
    )
    release = RELEASES.get(mode)(from_run_config({"privacy.mode": mode}), plan)
    rng, most = torch.Generator().manual_seed(0), 3
    subjects = torch.arange(40) % 4
    for alike in (False, True):
        inputs = torch.randn(40, 1, 8, 8, generator=rng) * 3
        labels = torch.randint(0, 1 if alike else 3, (40,), generator=rng)
        inputs = inputs[:1].expand_as(inputs).contiguous() if alike else inputs
        data = Split(inputs=inputs, labels=labels, classes=plan.classes, subjects=subjects)

        def total(data: Split) -> torch.Tensor:
            assert data.subjects is not None
            places = torch.from_numpy(kept(data.subjects.numpy(), most))
            return release.sum(data.take(places), most=most)

        for gone in range(4):
            moved = (total(data) - total(data.take(subjects != gone))).double() / release.spread
            assert 0 < moved.norm().item() <= release.unit * (1 + 1e-12)
