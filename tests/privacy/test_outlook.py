import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fdd_flower.cli import app
from fdd_flower.config import from_run_config
from fdd_flower.errors import ConfigError
from fdd_flower.privacy.accountant import Spend, epsilon_of, sigma_for
from fdd_flower.privacy.expected import MEASURED, Measured, expected
from fdd_flower.privacy.outlook import outlook
from fdd_flower.releases.terms import least_to_stay, own_sigma
from fdd_flower.secure_sum.protocol import Group


def plan(**changed: Any) -> dict[str, Any]:
    usual = {"mode": "dp-moments", "epsilon": 1.0, "delta": 1e-5, "records": 6000, "classes": 10}
    return outlook(**usual | changed)


def test_noise_on_a_class_mean():
    assert plan()["noise_on_entry"] == pytest.approx(3.731 / 600, rel=1e-3)


def test_a_secure_sum_shares_the_noise_of_the_total():
    apart, shared = (plan(clients=10, secure_sum=s, quorum=10) for s in (False, True))
    assert apart["noise_on_entry"] == pytest.approx(shared["noise_on_entry"] * 10**0.5)
    assert shared["sigma"] == pytest.approx(3.731, rel=1e-3)


@pytest.mark.parametrize("clients", [3, 4, 10])
@pytest.mark.parametrize("quorum", [None, 1, 3])
def test_as_many_must_stay_as_in_a_run(clients: int, quorum: int | None):
    run: dict[str, Any] = {"num-server-rounds": 1, "sketch.secure-sum": True}
    cfg = from_run_config(run | {"privacy.mode": "dp-moments", "strategy.quorum": quorum or 2})
    keys = tuple(bytes([number]) * 64 for number in range(clients))
    stay = Group(keys, least_to_stay(cfg)).threshold
    found = plan(clients=clients, secure_sum=True, quorum=quorum)
    assert found["stay"] == stay
    assert found["sigma_client"] == pytest.approx(own_sigma(cfg, stay))


def test_clients_that_may_leave_or_collude_cost_noise():
    # 8 of 10 must stay, 2 of these may collude: each adds sigma / sqrt(6), and all ten may stay
    found = plan(clients=10, secure_sum=True, quorum=8, colluding=2)
    assert found["sigma_client"] == pytest.approx(3.731 / 6**0.5, rel=1e-3)
    assert found["sigma"] == pytest.approx(3.731 * (10 / 6) ** 0.5, rel=1e-3)


def test_no_more_clients_can_stay_than_there_are():
    with pytest.raises(ConfigError, match="quorum: expected at most 3"):
        plan(clients=3, secure_sum=True, quorum=9)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (
            {"clients": 10, "quorum": 6, "colluding": 5},
            "quorum: expected above 7, for a secure sum",
        ),
        ({"clients": 10, "quorum": 8, "colluding": 6}, "quorum: expected above 8"),
        ({"clients": 1}, "clients: expected 2 or more"),
        ({"clients": 3, "colluding": 3}, "clients: expected 4 or more"),
        ({"clients": 3, "colluding": 1, "secure_sum": False}, "colluding: expected 0"),
    ],
)
def test_what_every_client_would_refuse_has_no_plan(changed: dict[str, Any], why: str):
    with pytest.raises(ConfigError, match=why):
        plan(**{"secure_sum": True} | changed)


@pytest.mark.parametrize(("delta", "records", "warned"), [(0.1, 100, True), (1e-5, 6_000, False)])
def test_a_delta_that_is_not_well_below_one_record_is_warned_of(
    delta: float, records: int, warned: bool
):
    asked = ["privacy", "plan", "--delta", str(delta), "--records", str(records)]
    said = CliRunner().invoke(app, asked).output
    assert ("is not well below 1 / records" in said) is warned


def test_more_releases_need_more_noise_each():
    by = plan()["sigma_by_releases"]
    assert by[100] == pytest.approx(10 * by[1], rel=1e-3)


def test_runs_that_a_lifetime_pays_for():
    assert plan()["runs_allowed"] == 1
    # sigma 3.731 at epsilon 1 and 0.4999 at epsilon 10: 55 of the first are one of the second
    assert plan(max_epsilon=10.0)["runs_allowed"] == 55
    assert plan(max_epsilon=0.5)["runs_allowed"] == 0
    sigma = sigma_for(1.0, 1e-5)
    assert epsilon_of([Spend(sigma, 55)], 1e-5) <= 10 < epsilon_of([Spend(sigma, 56)], 1e-5)


def test_a_mode_without_noise_has_no_plan():
    with pytest.raises(ConfigError, match="adds no noise"):
        plan(mode="none")


def test_the_command_prints_and_writes_the_same(tmp_path):
    file = tmp_path / "plan.json"
    said = CliRunner().invoke(app, ["privacy", "plan", "--json", "--out", str(file)])
    assert json.loads(said.stdout) == json.loads(file.read_text())
    near = json.loads(said.stdout)["accuracy"]
    assert [(one["data"].split(",")[0], one["is"]) for one in near] == [
        ("digits", "about"),
        ("Fashion-MNIST", "below"),
    ]
    table = CliRunner().invoke(app, ["privacy", "plan"]).stdout
    assert "below 79 % with so much noise on Fashion-MNIST" in table
    other = CliRunner().invoke(app, ["privacy", "plan", "--mode", "dp-gm"]).stdout
    assert "not measured" in other


def at(epsilon: float, one: Measured) -> float:
    return sigma_for(epsilon, 1e-5) * one.classes / one.records


@pytest.mark.parametrize("one", MEASURED["dp-moments"], ids=lambda one: one.data)
def test_what_was_measured_is_expected_there(one: Measured):
    for epsilon, accuracy in one.accuracy.items():
        (found,) = [
            near
            for near in expected("dp-moments", at(epsilon, one), one.classes)
            if near["data"] == one.data
        ]
        assert found["accuracy"] == pytest.approx(accuracy, abs=1e-3)


def test_between_it_is_between_and_beyond_it_is_a_bound():
    digits, *_ = [one for one in MEASURED["dp-moments"] if one.classes == 10]
    between, *_ = expected("dp-moments", at(3.0, digits), 10)
    assert (between["data"], between["is"]) == (digits.data, "about")
    assert 0.608 < between["accuracy"] < 0.927  # type: ignore[operator]
    more, *_ = expected("dp-dm", at(0.2, digits), 10)
    assert (more["is"], more["accuracy"]) == ("below", 0.799)
    less, *_ = expected("dp-dm", at(10.0, digits) / 2, 10)
    assert (less["is"], less["accuracy"]) == ("above", 0.878)


def test_the_measured_figures_are_those_of_the_results():
    """Each figure is in the row of its data, as a percentage."""
    text = (Path(__file__).parents[2] / "benchmarks/results/privacy.md").read_text()
    for ones in MEASURED.values():
        for one in ones:
            assert re.search(one.data.split(",")[0], text)
            for accuracy in one.accuracy.values():
                assert f"{100 * accuracy:.1f}" in text
