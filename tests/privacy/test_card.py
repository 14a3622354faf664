import json

from fdd_flower.privacy.card import ADJACENCY, UNIT, PrivacyCard


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
