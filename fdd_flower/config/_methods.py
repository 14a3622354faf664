"""The federated methods: which one, and what each has of its own. A section a class."""

from __future__ import annotations

from dataclasses import dataclass

from fdd_flower.config._setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyConfig:
    """The federated method, and when a round counts."""

    name: str = setting(
        "fdd",
        "bulyan, dynafed, fdd, fedadam, fedaf, fedavg, fedavgm, fedlgd, fedmedian, fednova, "
        "fedprox, fedtrimmedavg, fedyogi, krum, multikrum, scaffold, sketch",
    )
    min_nodes: int = setting(
        2,
        "connected clients to wait for before the first round, and before later ones for as long "
        "as strategy.deadline",
        low=1,
        high=100_000,
    )
    quorum: int = setting(2, "usable replies below which the run ends", low=1, high=100_000)
    deadline: float = setting(3600.0, "seconds a round waits for replies", low=0.1, high=86_400)
    fraction: float = setting(
        1.0,
        "share of the connected clients that a round asks, drawn by seed and round; at least "
        "quorum of them",
        low=1e-6,
        high=1,
    )
    pool: str = setting(
        "round",
        "fdd: the sets that are merged: of the round alone; or of the last pool-rounds rounds, the "
        "last set of each client or all sets",
        choices=("round", "last", "all"),
    )
    pool_rounds: int = setting(3, "pool last, all: rounds that it reaches back", low=1, high=10_000)
    pool_decay: float = setting(
        0.5,
        "pool last, all: what every round of its age leaves of a set's claims",
        low=1e-3,
        high=1,
    )
    proximal_mu: float = setting(0.1, "FedProx: weight of the proximal term", low=0, high=100)
    num_malicious: int = setting(
        1, "Krum, multi-Krum, Bulyan: hostile clients it allows for", low=0, high=10_000
    )
    num_selected: int = setting(2, "multi-Krum: updates that are averaged", low=1, high=100_000)
    beta: float = setting(
        0.2, "trimmed mean: share of the replies cut from either end", low=0, high=0.49
    )
    server_learning_rate: float = setting(
        0.0,
        "FedAvgM, FedAdam, FedYogi: the server's step size; 0: 1, 0.1 and 0.01 of them",
        low=0,
        high=100,
    )
    server_momentum: float = setting(
        0.9, "FedAvgM: momentum of the server's steps", low=0, high=0.999
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalConfig:
    """Local training on real data, for the strategies that average parameters."""

    epochs: int = setting(1, "passes over the client's data a round", low=1, high=1_000)
    batch_size: int = setting(64, "records a step", low=1, high=65_536)
    learning_rate: float = setting(0.01, "step size of SGD", low=1e-8, high=10)
    momentum: float = setting(0.9, "momentum of SGD", low=0, high=0.999)


@dataclass(frozen=True, slots=True, kw_only=True)
class DynafedConfig:
    """DynaFed: rows that the server makes of the first global models, and tunes later ones on."""

    rounds: int = setting(2, "rounds whose global models are followed", low=1, high=10_000)
    reach: int = setting(1, "rounds ahead that training on the rows aims at", low=1, high=10_000)
    ipc: int = setting(15, "rows a class", low=1, high=10_000)
    steps: int = setting(200, "optimisation steps of the rows", low=1, high=1_000_000)
    learning_rate: float = setting(0.1, "step size of Adam there", low=1e-8, high=100)
    inner_steps: int = setting(10, "training steps on the rows a match", low=1, high=1_000)
    inner_rate: float = setting(
        0.02, "step size of that training at first; it is learned", low=1e-8, high=10
    )
    tuning_steps: int = setting(
        20, "steps on the rows that each later global model takes", low=0, high=1_000_000
    )
    tuning_rate: float = setting(0.01, "step size of SGD there", low=1e-8, high=10)
    batch_size: int = setting(256, "rows a step there", low=1, high=65_536)


@dataclass(frozen=True, slots=True, kw_only=True)
class FedafConfig:
    """FedAF: what clients and the server tell each other by mean logits a class."""

    keep: float = setting(
        0.9, "share of the global model in a client's networks; the rest is noise", low=0, high=1
    )
    local_weight: float = setting(
        0.8, "of the term that draws a client's rows to the global logits", low=0, high=1e6
    )
    global_weight: float = setting(
        0.8, "of the term that draws the global model to the clients' logits", low=0, high=1e6
    )
    temperature: float = setting(2.0, "of both sides of the server's term", low=0.01, high=100)
    projections: int = setting(
        50, "directions along which the client's term compares logits", low=1, high=10_000
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FedlgdConfig:
    """FedLGD: global virtual data, which the server makes of the clients' steps."""

    ipc: int = setting(10, "global virtual records a class", low=1, high=10_000)
    every: int = setting(
        5, "rounds from one update of virtual data to the next, on both sides", low=1, high=100_000
    )
    weight: float = setting(
        1.0, "of the term that holds clients' features to the global ones", low=0, high=1e6
    )
    temperature: float = setting(0.07, "of that contrastive term", low=0.001, high=100)
    steps: int = setting(500, "steps of gradient matching in an update", low=1, high=1_000_000)
    learning_rate: float = setting(0.06, "step size of Adam there", low=1e-8, high=100)
