import json
from typing import Any

import pytest
from typer.testing import CliRunner

from fdd_flower.cli import app
from fdd_flower.errors import ConfigError
from fdd_flower.privacy.accountant import Spend, epsilon_of, sigma_for
from fdd_flower.privacy.expected import expected_accuracy
from fdd_flower.privacy.outlook import outlook


def plan(**changed: Any) -> dict[str, Any]:
    usual = {"mode": "dp-moments", "epsilon": 1.0, "delta": 1e-5, "records": 6000, "classes": 10}
    return outlook(**usual | changed)


def test_noise_on_a_class_mean():
    assert plan()["noise_on_entry"] == pytest.approx(3.731 / 600, rel=1e-3)


def test_a_secure_sum_shares_the_noise_of_the_total():
    apart, shared = (plan(clients=10, secure_sum=s) for s in (False, True))
    assert apart["noise_on_entry"] == pytest.approx(shared["noise_on_entry"] * 10**0.5)
    assert shared["sigma"] == pytest.approx(3.731, rel=1e-3)


def test_clients_that_may_leave_or_collude_cost_noise():
    # 8 of 10 must stay, 2 of these may collude: each adds sigma / sqrt(6), and all ten may stay
    found = plan(clients=10, secure_sum=True, quorum=8, colluding=2)
    assert found["sigma_client"] == pytest.approx(3.731 / 6**0.5, rel=1e-3)
    assert found["sigma"] == pytest.approx(3.731 * (10 / 6) ** 0.5, rel=1e-3)


def test_no_more_clients_can_stay_than_there_are():
    with pytest.raises(ConfigError, match="quorum: expected at most 3"):
        plan(clients=3, secure_sum=True, quorum=9)


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
    assert json.loads(said.stdout)["accuracy"] is None
    table = CliRunner().invoke(app, ["privacy", "plan"]).stdout
    assert "not measured" in table


def test_accuracy_is_the_measured_one_or_between():
    assert expected_accuracy("dp-moments", 1.0, 50_400) == pytest.approx(0.840)
    assert 0.789 < (expected_accuracy("dp-moments", 5.0, 6_000) or 0) < 0.840
    assert expected_accuracy("dp-moments", 1.0, 6_000) is None
    assert expected_accuracy("dp-gm", 1.0, 50_000) is None
