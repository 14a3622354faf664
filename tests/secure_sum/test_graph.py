"""Who is whose neighbour: as many each, both ways, all joined, by chance."""

from __future__ import annotations

from collections import Counter

import pytest

from fdd_flower.errors import ConfigError
from fdd_flower.secure_sum.graph import Graph, check_neighbours
from tests.secure_sum.test_protocol import ring


@pytest.mark.parametrize(("clients", "k"), [(4, 2), (6, 4), (12, 4), (13, 4), (13, 10), (50, 8)])
def test_each_has_as_many_neighbours_both_ways_and_all_are_joined(clients, k):
    graph = Graph.draw(clients, k)
    assert len(graph.hoods) == clients
    for place, hood in enumerate(graph.hoods):
        assert len(set(hood)) == k + 1
        assert list(hood) == sorted(hood)
        assert place in hood
        assert all(place in graph.hoods[other] for other in hood)
    assert graph.parts(range(clients)) == [list(range(clients))]


@pytest.mark.parametrize(("clients", "k"), [(2, 0), (9, 0), (9, 8), (5, 4), (4, 4), (3, 100)])
def test_with_none_named_or_all_others_it_is_complete(clients, k):
    assert set(Graph.draw(clients, k).hoods) == {tuple(range(clients))}


def test_who_is_near_whom_is_chance():
    drawn = [Graph.draw(12, 4) for _ in range(400)]
    assert len({graph.hoods for graph in drawn}) > 390
    near = Counter(other for graph in drawn for other in graph.hoods[0] if other)
    # each of 11 in 4 of 11 draws: 145 of 400, within five deviations
    assert len(near) == 11
    assert all(97 < count < 194 for count in near.values())


def test_places_of_all_and_of_a_neighbourhood():
    graph = ring(8, 2)
    assert graph.hoods[0] == (0, 1, 7)
    assert graph.near(0, {0, 5, 7}) == [0, 7]
    assert graph.local(0, {0, 5, 7}) == [0, 2]


def test_parts_without_an_edge_between_them():
    assert ring(8, 2).parts({0, 1, 3, 4, 5}) == [[3, 4, 5], [0, 1]]
    assert ring(8, 2).parts([]) == []


def kept(graph: Graph, present: set[int], least: int) -> list[int]:
    return graph.stable({p: graph.hoods[p] for p in present}, least)


def test_who_has_too_few_neighbours_is_left_out_and_then_who_misses_it():
    graph = ring(12, 4)
    assert kept(graph, set(range(12)), 3) == list(range(12))
    assert kept(graph, set(range(12)) - {1, 4}, 3) == [0, 2, 3, *range(5, 12)]
    # near 3 is 5 alone; without 3 there are still three near each other one
    assert kept(graph, set(range(12)) - {1, 2, 4}, 3) == [0, *range(5, 12)]
    # near 2 is 0 alone, and near 0 are 10 and 11 still
    assert kept(graph, set(range(12)) - {1, 3, 4}, 3) == [0, *range(5, 12)]
    # every other one is enough; a gap in that, and one after the other they all go
    assert kept(graph, {0, 2, 4, 6, 8, 10}, 3) == [0, 2, 4, 6, 8, 10]
    assert kept(graph, {0, 2, 4, 6, 8}, 3) == []


def test_of_two_parts_the_larger_is_left():
    graph = ring(16, 4)
    # two of a side gone in two places: each part could be unmasked by itself
    assert kept(graph, set(range(16)) - {0, 1, 8, 9}, 3) == list(range(2, 8))
    assert kept(graph, set(range(16)) - {0, 1, 7, 8}, 3) == list(range(9, 16))


def test_an_odd_number_of_neighbours_is_refused():
    for fits in (0, 2, 10):
        check_neighbours(fits)
    with pytest.raises(ConfigError, match=r"sketch.neighbours: expected 0 for all .* got 7") as one:
        check_neighbours(7)
    assert "Set it to 8" in one.value.remedy
