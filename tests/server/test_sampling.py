"""Whom a round asks: as many as was set, by name, and whoever is at which node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from flwr.app import ConfigRecord

from fdd_flower.config import Config, StrategyConfig
from fdd_flower.errors import QuorumError
from fdd_flower.server import sampling
from fdd_flower.server.sampling import Sampler
from fdd_flower.server.side import ServerSide
from tests.attacks.scene import MemoryLedger, plan


class Nodes:
    """A grid of nodes that say their names, and count who was asked."""

    def __init__(self, names: dict[int, str], silent: Sequence[int] = ()) -> None:
        self.names, self.silent, self.asked = names, silent, []  # type: ignore[var-annotated]

    def get_node_ids(self) -> list[int]:
        return list(self.names)


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch) -> None:
    def names_of(grid: Any, nodes: list[int], *_: Any, **__: Any) -> dict[int, str]:
        grid.asked += nodes
        return {node: grid.names[node] for node in nodes if node not in grid.silent}

    monkeypatch.setattr(sampling, "names_of", names_of)


def sampler(**strategy: Any) -> Sampler:
    ledger: Any = MemoryLedger()
    cfg = replace(Config(), strategy=StrategyConfig(deadline=1.0, **strategy))
    return Sampler(ServerSide(cfg=cfg, plan=plan(), ledger=ledger))


def drawn(of: Sampler, grid: Any, round_: int) -> list[str]:
    config = ConfigRecord()
    nodes = of.choose(grid, round_, config)
    assert nodes == sorted(nodes)
    assert config["server-round"] == round_
    return sorted(grid.names[node] for node in nodes)


TEN = {100 + i: str(i) for i in range(10)}
MOVED = {7 * i % 10 + 1: str(i) for i in range(10)}


@pytest.mark.parametrize(
    ("fraction", "quorum", "want"),
    [
        (1.0, 2, 10),
        (0.5, 2, 5),
        (0.29, 2, 2),
        (0.3, 1, 3),
        (0.99, 1, 9),
        (0.01, 1, 1),
        (0.01, 4, 4),
        (0.5, 10, 10),
    ],
)
def test_a_share_of_the_clients_is_asked_and_never_fewer_than_the_quorum(fraction, quorum, want):
    assert len(drawn(sampler(fraction=fraction, quorum=quorum), Nodes(TEN), 1)) == want


def test_a_share_that_binary_numbers_miss_by_a_hair_is_not_one_fewer():
    hundred = Nodes({i: str(i) for i in range(100)})
    assert len(drawn(sampler(fraction=0.29), hundred, 1)) == 29


def test_the_draw_is_of_names_and_not_of_nodes():
    one, other = sampler(fraction=0.4), sampler(fraction=0.4)
    rounds = [drawn(one, Nodes(TEN), r) for r in range(1, 20)]
    assert rounds == [drawn(other, Nodes(MOVED), r) for r in range(1, 20)]
    assert len(set(map(tuple, rounds))) > 10


def test_a_resumed_run_draws_what_it_would_have_drawn():
    whole, resumed = sampler(fraction=0.4), sampler(fraction=0.4)
    want = [drawn(whole, Nodes(TEN), r) for r in (1, 2, 3)][2]
    resumed.side.client_at = dict(TEN)  # of nodes that are gone
    assert drawn(resumed, Nodes(MOVED), 3) == want


def test_every_client_has_the_same_chance():
    of, grid = sampler(fraction=0.3), Nodes(TEN)
    counts = Counter(name for r in range(1, 1001) for name in drawn(of, grid, r))
    # binomial of 1000 and 0.3: a deviation is 14.5
    assert all(abs(counts[name] - 300) < 5 * 14.5 for name in TEN.values())


def test_nobody_is_asked_twice_for_a_name_and_nobody_where_all_take_part():
    of, grid = sampler(fraction=0.3), Nodes(dict(TEN))
    drawn(of, grid, 1)
    drawn(of, grid, 2)
    grid.names[500] = "late"
    drawn(of, grid, 3)
    assert grid.asked == [*sorted(TEN), 500]
    everyone = Nodes(TEN)
    drawn(sampler(), everyone, 1)
    assert everyone.asked == []


def test_a_run_begins_with_all_that_it_asks_for_and_goes_on_with_its_quorum():
    of, grid = sampler(min_nodes=10, quorum=4), cast(Any, Nodes(dict(TEN)))
    of.side.cfg = replace(of.side.cfg, strategy=replace(of.side.cfg.strategy, deadline=0.0))
    grid.names.pop(100)
    with pytest.raises(QuorumError, match="at least 10"):
        of.choose(grid, 1, ConfigRecord())
    assert len(drawn(of, grid, 2)) == 9
    for node in range(101, 106):
        grid.names.pop(node)
    assert len(drawn(of, grid, 3)) == 4
    grid.names.pop(109)
    with pytest.raises(QuorumError, match="at least 4"):
        of.choose(grid, 4, ConfigRecord())


def test_clients_that_are_gone_are_waited_for_once(monkeypatch):
    waits: list[int] = []

    def wait(grid: Any, minimum: int, *, seconds: float, least: int) -> list[int]:
        waits.append(minimum)
        return sorted(grid.get_node_ids())

    monkeypatch.setattr(sampling, "wait_for_nodes", wait)
    of, grid = sampler(min_nodes=10, quorum=4), Nodes(dict(TEN))
    drawn(of, grid, 1)
    grid.names.pop(100)
    drawn(of, grid, 2)
    drawn(of, grid, 3)
    assert waits == [10, 10, 9]


def test_a_silent_node_moves_nobody_elses_place():
    """It may be drawn itself, as the last in order."""
    silent, high = Nodes(TEN, silent=[104]), Nodes({**TEN, 104: "zz"})
    for round_ in range(1, 10):
        found, want = (drawn(sampler(fraction=0.4), grid, round_) for grid in (silent, high))
        assert found == sorted("4" if name == "zz" else name for name in want)


def test_another_seed_draws_others():
    one, other = sampler(fraction=0.4), sampler(fraction=0.4)
    other.side.cfg = replace(other.side.cfg, seed=1)
    assert [drawn(one, Nodes(TEN), r) for r in (1, 2, 3)] != [
        drawn(other, Nodes(TEN), r) for r in (1, 2, 3)
    ]
