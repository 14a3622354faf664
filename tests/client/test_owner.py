"""What the owner of the data demands of a run's privacy."""

import pytest

from fdd_flower.client.records import guard_own_data, has_owners_words
from fdd_flower.config import Scalar, from_run_config
from fdd_flower.errors import ConfigError

BUDGET = {"privacy.max-epsilon": 1.0}
PRIVATE = {"privacy.mode": "dp-moments"}


def guard(node: dict, **run: Scalar) -> None:
    assert has_owners_words(node)
    guard_own_data(from_run_config(run), node)


def test_with_a_budget_nothing_leaves_but_under_a_private_mode():
    with pytest.raises(ConfigError, match=r"privacy\.mode: expected a private mode"):
        guard(BUDGET)
    guard(BUDGET, **PRIVATE)


@pytest.mark.parametrize("asked", [{}, {"data.subject": "row"}])
def test_the_owner_says_what_a_subject_is(asked: dict):
    node = {"privacy.subject": "person"}
    with pytest.raises(ConfigError, match=r"data\.subject: expected 'person', which this client"):
        guard(node, **PRIVATE, **asked)
    guard(node, **PRIVATE, **{"data.subject": "person"})


def test_a_private_mode_has_no_least_number_of_records():
    guard({"min-records": 32}, **PRIVATE)
    with pytest.raises(ConfigError, match=r"distiller\.min-records"):
        guard({"min-records": 32})


def test_a_private_mode_may_be_behind_a_secure_sum():
    guard({"secure-sum": True}, **PRIVATE, **{"sketch.secure-sum": True})
    with pytest.raises(ConfigError, match=r"sketch\.secure-sum: expected true"):
        guard({"secure-sum": True}, **PRIVATE)
