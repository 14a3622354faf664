"""Whom a round asks: all connected clients, or a share of them that the seed draws.

Node ids change when Flower is started again, and what a resumed run asks must not. So where only a
share is asked, clients are put in order by their names, which the server asks each node for once,
and the draw is made over that order. Who is at which node is a client's word: it decides who is
asked, and about no verdict.
"""

from __future__ import annotations

import math

import torch
from flwr.app import ConfigRecord
from flwr.serverapp import Grid

from fdd_flower.rng import stream
from fdd_flower.server.client_names import names_of
from fdd_flower.server.grid import wait_for_nodes
from fdd_flower.server.judging.duplicates import client_order
from fdd_flower.server.side import ServerSide


class Sampler:
    """Picks the nodes of each round.

    Attributes
    ----------
    names
        Client key by node, of the nodes that said it when they were asked.
    connected
        How many clients the last round could have asked.
    """

    def __init__(self, side: ServerSide) -> None:
        self.side = side
        self.names: dict[int, str] = {}
        self.connected = 0
        self._wanted = max(side.cfg.strategy.min_nodes, side.cfg.strategy.quorum)
        self._asked: set[int] = set()

    def choose(self, grid: Grid, server_round: int, config: ConfigRecord) -> list[int]:
        """Wait for enough clients, but not for ever, and return the nodes to ask, sorted.

        A run begins with `strategy.min-nodes`. Later clients may be gone for good: then a round
        waits for them as long as its deadline, and no other round does.

        Parameters
        ----------
        config
            The plan, whose round this sets.

        Raises
        ------
        QuorumError
            If too few clients connect before the deadline: fewer than `strategy.quorum`, or in the
            first round than `strategy.min-nodes`.
        """
        cfg = self.side.cfg.strategy
        config["server-round"] = server_round
        least = self._wanted if server_round == 1 else cfg.quorum
        nodes = wait_for_nodes(grid, self._wanted, least=least, seconds=cfg.deadline)
        self.connected = len(nodes)
        self._wanted = min(self._wanted, len(nodes))
        # a hair more: 0.29 of 100 is 28.999999999999996 of them
        count = max(cfg.quorum, math.floor(cfg.fraction * len(nodes) + 1e-9))
        if count >= len(nodes):
            return nodes
        self.learn_names(grid, nodes, config)
        # who does not say it comes last: a silent node moves nobody else's place
        names = {node: name for node in nodes if (name := self.name_of(node)) is not None}
        order = sorted(names, key=lambda node: (client_order(names[node]), node))
        order += [node for node in nodes if node not in names]
        rng = stream(self.side.cfg.seed, "sample", server_round)
        drawn = torch.randperm(len(order), generator=rng)[:count]
        return sorted(order[place] for place in drawn.tolist())

    def name_of(self, node: int) -> str | None:
        """Return the client key that `node` said, or else replied under last."""
        return self.names.get(node, self.side.client_at.get(node))

    def learn_names(self, grid: Grid, nodes: list[int], config: ConfigRecord) -> None:
        """Ask the nodes that this process has not asked yet who they are."""
        side, new = self.side, [node for node in nodes if node not in self._asked]
        if new:
            self._asked.update(new)
            self.names |= names_of(grid, new, config, plan=side.plan, cfg=side.cfg.strategy)
