import json

import pytest

from fdd_flower.config import Scalar, from_run_config
from fdd_flower.privacy.accountant import Spend, epsilon_of
from fdd_flower.privacy.card import ADJACENCY, SUBJECT_UNIT, UNIT, PrivacyCard, scope_of
from fdd_flower.releases.terms import card_of, spend_of


def test_without_a_mode_the_card_says_that_nothing_is_promised():
    card = PrivacyCard.none(rows=True)
    assert not card.promises
    words = card.words()
    assert "There is no formal guarantee." in words
    assert "synthetic records" in words
    assert "an attack may tell" in words
    assert json.loads(json.dumps(card.to_dict()))["epsilon"] is None


def test_a_guarantee_is_stated_with_its_unit_and_limits():
    card = PrivacyCard(
        mode="dp-moments",
        travels=("a noisy sum",),
        unit=UNIT,
        adjacency=ADJACENCY,
        epsilon=0.99999,
        delta=1e-5,
        sigma=3.7314,
        releases=1,
    )
    words = card.words()
    for part in ("epsilon = 1 ", "delta = 1e-05", UNIT, ADJACENCY, "3.731", "- a noisy sum"):
        assert part in words
    assert all(f"- {item}" in words for item in card.outside)
    assert "no formal guarantee" not in words


@pytest.mark.parametrize("shared", [False, True])
def test_the_card_of_subjects_says_how_they_compose_across_clients(shared: bool):
    scope = scope_of(subjects=True, shared=shared)
    assert scope.unit == "one subject (all its records at one client)"
    assert ("noise multiplier m times" in scope.outside[-1]) is shared
    assert ("add up" in scope.outside[-1]) is not shared
    assert scope_of(subjects=False, shared=shared).unit == UNIT


@pytest.mark.parametrize("subject", ["", "person"])
@pytest.mark.parametrize("shared", [False, True])
def test_the_card_of_a_run_names_its_unit(subject: str, shared: bool):
    run = {"privacy.mode": "dp-moments", "data.subject": subject, "sketch.secure-sum": shared}
    card = card_of(from_run_config(run), rows=True)
    assert card.unit == (SUBJECT_UNIT if subject else UNIT)
    assert any("a subject with records at m clients" in item for item in card.outside) is bool(
        subject
    )
    assert card.epsilon is not None
    assert 0.999 < card.epsilon <= 1


def test_a_subject_at_m_clients_costs_what_the_card_says():
    one, m = Spend(3.731), 3
    apart = epsilon_of([one] * m, m * 1e-5)  # m releases
    together = epsilon_of([Spend(one.sigma / m)], 1e-5)  # one release, moved m times as far
    assert apart <= m * epsilon_of([one], 1e-5) <= together


@pytest.mark.parametrize(
    ("sums", "sigma", "releases"), [(0, 2.0, 0), (1, 2.0, 1), (3, 2.0, 3), (3, 0.0, 1)]
)
def test_each_sum_that_was_asked_for_counts_unless_clients_have_a_promise_to_keep(
    sums: int, sigma: float, releases: int
):
    run: dict[str, Scalar] = {"num-server-rounds": 1, "privacy.mode": "dp-moments"}
    run |= {"privacy.sigma": sigma} if sigma else {}
    shared = card_of(from_run_config(run | {"sketch.secure-sum": True}), rows=True, sums=sums)
    spends = [Spend(sigma)] * releases if sigma else [spend_of(from_run_config(run))]
    assert (shared.releases, shared.epsilon) == (releases, epsilon_of(spends, 1e-5))
    # of its own noise a client sends the same bytes again
    assert card_of(from_run_config(run), rows=True, sums=sums).releases == 1


WINDOWS: list[tuple[dict[str, Scalar], tuple[int, ...], str]] = [
    ({"data.name": "series", "data.window": 128}, (6, 128), "up to 2 of them"),
    ({"data.name": "series", "data.window": 128, "data.step": 32}, (6, 128), "up to 4 of them"),
    ({"data.name": "series", "data.window": 128, "data.step": 128}, (6, 128), "do not overlap"),
    ({"data.name": "npz"}, (6, 128), "cut to overlap"),
    ({"data.name": "series", "data.window": 0}, (6, 128), ""),
    ({"data.name": "npz"}, (1, 28, 28), ""),
    ({"data.name": "npz"}, (13,), ""),
    ({"data.name": "series", "data.window": 128, "data.subject": "who"}, (6, 128), ""),
]


@pytest.mark.parametrize(("data", "shape", "how"), WINDOWS)
def test_of_series_the_card_says_that_a_window_is_no_recording(
    data: dict[str, Scalar], shape: tuple[int, ...], how: str
):
    cfg = from_run_config(data | {"privacy.mode": "dp-moments"})
    card = card_of(cfg, rows=True, feature_shape=shape)
    assert ("one window of a recording" in card.unit) is bool(how)
    outside = "\n".join(card.outside)
    assert ("a record is one window" in outside) is bool(how)
    assert ("Set data.subject" in outside) is bool(how)
    assert how in outside


@pytest.mark.parametrize("shared", [False, True])
def test_where_noise_is_shared_the_card_says_what_a_server_that_lies_can_do(shared: bool):
    cfg = from_run_config({"privacy.mode": "dp-moments", "sketch.secure-sum": shared})
    outside = "\n".join(card_of(cfg, rows=True).outside)
    assert ("a server that plays clients" in outside) is shared
    assert "other code" in outside
