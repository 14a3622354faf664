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
        first=True,
    )
    min_nodes: int = setting(
        2,
        "clients that must be connected before the first round; later rounds wait for them up to "
        "strategy.deadline",
        low=1,
        high=100_000,
    )
    quorum: int = setting(
        2, "usable replies that a round needs; with fewer the run ends", low=1, high=100_000
    )
    deadline: float = setting(3600.0, "seconds a round waits for replies", low=0.1, high=86_400)
    fraction: float = setting(
        1.0,
        "share of the connected clients that each round asks, drawn at random; never fewer than "
        "strategy.quorum",
        low=1e-6,
        high=1,
    )
    pool: str = setting(
        "round",
        "fdd: which sets are merged: this round's; or, of the last pool-rounds rounds, each "
        "client's last set or all sets",
        choices=("round", "last", "all"),
    )
    pool_rounds: int = setting(
        3, "pool last or all: how many rounds back it reaches", low=1, high=10_000
    )
    pool_decay: float = setting(
        0.5,
        "pool last or all: factor on a set's weight for each round of its age",
        low=1e-3,
        high=1,
    )
    finish: str = setting(
        "none",
        "fdd: what the last round is for: sets, as every round; readout, sums over real records, "
        "to which the server fits the model's last layer; or fine-tune, changes of all weights by "
        "training on real records",
        choices=("none", "readout", "fine-tune"),
    )
    finish_rounds: int = setting(
        1, "finish=fine-tune: how many of the last rounds are spent on it", low=1, high=10_000
    )
    finish_step: str = setting(
        "mean",
        "finish=fine-tune: how far the server goes along the changes: mean, one and a half times "
        "their mean; fitted, in every second finishing round clients measure the best step (needs "
        "finish-rounds of 2 or more)",
        choices=("mean", "fitted"),
    )
    proximal_mu: float = setting(0.1, "FedProx: weight of the proximal term", low=0, high=100)
    num_malicious: int = setting(
        1, "Krum, multi-Krum, Bulyan: hostile clients to tolerate", low=0, high=10_000
    )
    server_learning_rate: float = setting(
        0.0,
        "FedAvgM, FedAdam, FedYogi: the server's step size; 0: their defaults, 1, 0.1 and 0.01",
        low=0,
        high=100,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalConfig:
    """Local training on real data, for the strategies that average parameters."""

    epochs: int = setting(1, "passes over the client's data per round", low=1, high=1_000)
    batch_size: int = setting(64, "records per step", low=1, high=65_536)
    learning_rate: float = setting(0.01, "step size of SGD", low=1e-8, high=10)
    momentum: float = setting(0.9, "momentum of SGD", low=0, high=0.999)


@dataclass(frozen=True, slots=True, kw_only=True)
class DynafedConfig:
    """DynaFed: rows distilled from the first global models, and later ones fine-tuned on them."""

    rounds: int = setting(2, "rounds whose global models are followed", low=1, high=10_000)
    ipc: int = setting(15, "rows per class", low=1, high=10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class FedafConfig:
    """FedAF: clients and server compare mean logits per class."""

    local_weight: float = setting(
        0.8,
        "weight of the term that pulls a client's rows towards the global logits",
        low=0,
        high=1e6,
    )
    global_weight: float = setting(
        0.8,
        "weight of the term that pulls the global model towards the clients' logits",
        low=0,
        high=1e6,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FedlgdConfig:
    """FedLGD: global virtual data that the server makes from the clients' steps."""

    ipc: int = setting(10, "global virtual records per class; 0: none", low=0, high=10_000)
    every: int = setting(
        5, "rounds between updates of the virtual data, on clients and server", low=1, high=100_000
    )
    weight: float = setting(
        1.0,
        "weight of the term that pulls clients' features towards the global ones",
        low=0,
        high=1e6,
    )
