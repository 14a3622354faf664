"""Shapley values by sampled orders: what a client adds on average to those that came before it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Protocol

import torch

from fdd_flower.training.ridge import Gram

SOLVES = 1000  # at most so many, as long as two orders are walked
TOLERANCE = 0.01  # of the value of all: what is left when a walk ends


class Coalitions(Protocol):
    """Values of groups of clients whose sums add."""

    def sums(self, client: str) -> Gram:
        """Return what the client adds."""
        ...

    def rows(self, client: str) -> int:
        """Return how many rows it has."""
        ...

    def value(self, sums: Gram | None, rows: int) -> float:
        """Return the value of a group with these sums."""
        ...


def shapley_values(
    clients: Sequence[str],
    game: Coalitions,
    *,
    rng: torch.Generator,
    orders: int = 0,
    tolerance: float = TOLERANCE,
) -> dict[str, float]:
    """Return the mean of what each client adds, over random orders of all clients.

    Truncated Monte-Carlo Shapley (Ghorbani and Zou, arXiv:1904.02868): a walk along an order ends
    when what is left to gain is within `tolerance` of the value of all; whoever comes later gets
    0 from it. What differs: a fixed number of orders, for a fixed time. The values of walks that
    are not cut short sum to the value of all clients.

    Parameters
    ----------
    clients
        In an order that does not depend on the replies'.
    orders
        How many; 0: as many as `SOLVES` allows, and at least two.
    """
    orders = orders or max(2, SOLVES // len(clients))
    full = game.value(*total(game, clients))
    found = dict.fromkeys(clients, 0.0)
    for _ in range(orders):
        sums, rows, before = None, 0, game.value(None, 0)
        for place in torch.randperm(len(clients), generator=rng).tolist():
            if abs(full - before) < tolerance * abs(full):
                break
            client = clients[int(place)]
            own = game.sums(client)
            sums, rows = own if sums is None else sums + own, rows + game.rows(client)
            value = game.value(sums, rows)
            found[client] += (value - before) / orders
            before = value
    return found


def total(game: Coalitions, clients: Sequence[str]) -> tuple[Gram, int]:
    """Return the sums of all of `clients`, added in their order, and the number of rows."""
    return reduce(add, map(game.sums, clients)), sum(map(game.rows, clients))
